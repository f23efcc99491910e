"""Expression within kinds of tiles and within domains of slides."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

import mclstexp as mx
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.bridge import predicted
from mclstexp.cohort.bridge.groups import ByPrototype
from mclstexp.cohort.bridge.origin import read_about, read_origin
from mclstexp.cohort.feature_files import FileBag
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.io.outcome_models import save_outcome_model
from mclstexp.io.predictions import write_prediction
from predicted_slides import GENES, SETS, slides

DOMAINS = {"S0": "aabbb", "S1": "abbbbb"}


@pytest.fixture
def made():
    """Predictions of two slides, with places and domains."""
    found = slides(2)
    for one in found:
        one.obs["domain"] = list(DOMAINS[one.obs["section"].iloc[0]])
        one.obsm["spatial"] = np.arange(2.0 * len(one)).reshape(-1, 2)
    return found


@pytest.fixture
def model(made, tmp_path):
    """A model of patients that knows two kinds of tiles, and features of the predictions' tiles of either kind."""
    rng = np.random.default_rng(0)
    (tmp_path / "features").mkdir()
    for one in made:
        far = np.array([name == "b" for name in one.obs["domain"]])
        features = np.where(far[:, None], 9.0, 0.0) + rng.normal(0, 0.1, (len(one), 3))
        table = {"features": features.astype(np.float32), "xy": one.obsm["spatial"]}
        save_file(table, tmp_path / "features" / f"{one.obs['section'].iloc[0]}.safetensors")
    names = [f"p{k}" for k in range(12)]
    bags = []
    for number in range(2):
        bags.append(tmp_path / f"{number}.npy")
        kinds = rng.choice([0.0, 9.0], 60, p=[0.2 + 0.2 * number, 0.8 - 0.2 * number])
        np.save(bags[-1], (kinds[:, None] + rng.normal(0, 0.1, (60, 3))).astype(np.float32))
    patients = Patients(ids=tuple(names), bags=tuple(FileBag([bags[k % 2]]) for k in range(12)))
    outcomes = Outcomes.survival(names, time=rng.uniform(1, 9, 12), event=[1, 0] * 6)
    return create_outcome_model("prototype_shares", n_prototypes=2, penalty=1.0).fit(patients, outcomes)


def test_domains_are_rows_of_their_own(made, monkeypatch, tmp_path):
    monkeypatch.setattr(predicted, "ROWS", 2)
    summary = mx.summarise_expression(made, by="domain", gene_sets=SETS, out=tmp_path / "e.parquet")
    assert list(summary.genes.index) == [("S0", "a"), ("S0", "b"), ("S1", "a"), ("S1", "b")]
    assert list(summary.n_tiles) == [2, 3, 1, 5]
    np.testing.assert_allclose(summary.genes.loc[("S0", "b")], made[0].X[2:, :7].mean(axis=0, dtype=float), rtol=1e-6)
    whole = mx.summarise_expression(made, gene_sets=SETS)
    for part in ("genes", "pathways"):
        parts = getattr(summary, part).mul(summary.n_tiles, axis=0).groupby("slide").sum(min_count=1)
        mean = parts.div(summary.n_tiles.groupby("slide").sum(), axis=0)
        pd.testing.assert_frame_equal(mean, getattr(whole, part), check_names=False, check_index_type=False)
    written = pd.read_parquet(tmp_path / "e.parquet")
    assert list(written.columns[:2]) == ["slide", "domain"]
    assert read_origin(tmp_path / "e.parquet") == whole.origin
    assert read_about(tmp_path / "e.parquet")["n_tiles"]["S1, b"] == 5


def test_prototypes_are_those_of_a_model_of_patients(made, model, tmp_path):
    by = ByPrototype(model, tmp_path / "features")
    summary = mx.summarise_expression(made, by=by)
    domains = mx.summarise_expression(made, by="domain")
    assert summary.genes.index.names == ["slide", "prototype"]
    # the more frequent kind, the first, lies where the domain is b
    pd.testing.assert_frame_equal(
        summary.genes.rename({"prototype 1": "b", "prototype 2": "a"}).sort_index(), domains.genes, check_names=False
    )
    again = mx.summarise_expression(made, by=ByPrototype(save_outcome_model(model, tmp_path / "m"), by.features))
    pd.testing.assert_frame_equal(again.genes, summary.genes)


def test_what_cannot_be_told_is_refused(made, model, tmp_path):
    by = ByPrototype(model, tmp_path / "features")
    with pytest.raises(InputError, match=r"by: one of slide, patient, domain expected, found 'prototype'"):
        mx.summarise_expression(made, by="prototype")
    del made[1].obs["domain"]
    with pytest.raises(InputError, match=r'domains \(obs\["domain"\]\) expected in the prediction of S1, found none'):
        mx.summarise_expression(made, by="domain")
    made[1].obsm["spatial"] += 3
    with pytest.raises(InputError, match=r"features of the tiles that were predicted expected for S1, found 6 other"):
        mx.summarise_expression(made, by=by)
    (tmp_path / "features" / "S0.safetensors").rename(tmp_path / "features" / "other.safetensors")
    with pytest.raises(InputError, match=r"features of S0 expected in .*features, found none"):
        mx.summarise_expression(made, by=by)
    names = ["p", "q", "r"]
    clinic = Patients(ids=names, covariates=pd.DataFrame({"age": [50, 60, 70]}, index=names))
    without = create_outcome_model("clinical").fit(clinic, Outcomes.survival(names, time=[1, 2, 3], event=[1, 1, 0]))
    with pytest.raises(InputError, match=r"a model that has prototypes expected, found clinical"):
        mx.summarise_expression(made, by=ByPrototype(without, tmp_path / "features"))


def test_the_command_shows_parts_of_slides(said, made, model, tmp_path):
    for one in made:
        write_prediction(one, tmp_path / "predictions" / f"{one.obs['section'].iloc[0]}.h5ad")
    save_outcome_model(model, tmp_path / "m")
    words = ("cohort", "expression", tmp_path / "predictions", "--out", tmp_path / "e.parquet")
    code, out, _ = said(*words, "--within", "prototype", "--model", tmp_path / "m", "--features", tmp_path / "features")
    assert code == 0
    assert "4 rows, of slides by prototype, 11 tiles" in out
    assert list(pd.read_parquet(tmp_path / "e.parquet").columns) == ["slide", "prototype", *GENES[:7]]
    code, _, error = said(*words, "--within", "prototype", "--model", tmp_path / "m")
    assert code == 2
    assert "--within prototype with --model and --features expected, found 1 of the two" in error
