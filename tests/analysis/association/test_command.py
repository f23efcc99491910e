"""`mclstexp associate`: tables of individuals and sections, and what it says of slips."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.api.associations import SpotScanConfig, associate_spots
from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.evaluation.config import DataConfig
from small_methods import small_sections

ENCODER = "random:test_efficientnet"


def _tables(folder, n=60):
    rng = np.random.default_rng(0)
    names = [f"P{k:02}" for k in range(n)]
    markers = pd.DataFrame(rng.binomial(2, 0.3, (n, 12)), columns=[f"m{k}" for k in range(12)])
    traits = pd.DataFrame(rng.normal(size=(n, 2)), columns=["t0", "t1"])
    traits["t1"] += 1.5 * markers["m4"]
    traits["age"], traits["site"] = rng.integers(40, 80, n), list("ab") * (n // 2)
    markers.insert(0, "name", names)
    traits.insert(0, "patient", names[::-1])
    traits = traits.iloc[::-1]
    traits["t1"] = traits["t1"].to_numpy()[::-1]
    paths = folder / "traits.csv", folder / "markers.csv"
    traits.to_csv(paths[0], index=False)
    markers.to_csv(paths[1], index=False)
    return [*map(str, paths)]


def test_individuals_are_found_and_replicate(tmp_path, capsys):
    out = tmp_path / "found.csv"
    words = [
        "associate",
        "individuals",
        *_tables(tmp_path),
        "--out",
        str(out),
        "--covariates",
        "age",
        "--strata",
        "site",
    ]
    assert run([*words, "--hold-out", "0.4"]) == 0
    said = capsys.readouterr().out
    assert "replicated in those held out: 1 of 1 found" in said
    assert "λ" in said
    assert max(map(len, said.splitlines()[:16])) <= 80
    table = pd.read_csv(out)
    assert table.iloc[0][["trait", "marker"]].tolist() == ["t1", "m4"]
    assert set(table["trait"]) == {"t0", "t1"}
    assert table["n"].unique() == [36]
    assert pd.read_csv(tmp_path / "found_replication.csv")["replicated"].all()
    assert run(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*words[:-1], "nothing", "--overwrite"]) == 2
    assert "no column 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize("markers", ["genes", "label"])
def test_spots_of_sections(tmp_path, markers, monkeypatch):
    monkeypatch.setattr(DataConfig, "read", lambda self, spec: small_sections(2))
    data = DataConfig(path="made")
    config = SpotScanConfig(encoder=ENCODER, n_axes=3, given=("depth", "stain"), markers=markers)
    ask = lambda **given: associate_spots(data, out=tmp_path / "a.csv", **given)  # noqa: E731
    if markers == "label":
        with pytest.raises(InputError, match="spots with labels"):
            ask(config=config, n_permutations=19)

        def with_labels(self, spec):
            sections = small_sections(2)
            for section in sections:
                section.counts.obs["label"] = np.resize(["tumour", "rest", "undetermined"], len(section))
            return sections

        monkeypatch.setattr(DataConfig, "read", with_labels)
    found = ask(config=config, n_permutations=19)
    assert len(found.table) == 3 * (30 if markers == "genes" else 1)
    assert 0 < found.table["n"].unique().item() <= (50 if markers == "genes" else 34)
    assert found.table["n_individuals"].max() == 2
    assert (tmp_path / "a.csv").exists()
    with pytest.raises(InputError, match="two kinds"):
        ask(config=SpotScanConfig(traits="genes"), overwrite=True)
