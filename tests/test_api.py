"""The public names, and what stands behind the commands as Python uses it."""

import subprocess
import sys

import numpy as np
import pytest

import mclstexp as mx
import st_files
from mclstexp.api import predict_files
from mclstexp.core.predictor import Predictor
from mclstexp.evaluation.config import DataConfig, FitConfig, SyntheticConfig
from mclstexp.evaluation.experiment import Experiment
from mclstexp.io.synthetic import make_sections

SPEC = mx.TileSpec(32, 4.0)


@pytest.fixture(scope="module")
def sections():
    return make_sections(3, n_spots_side=4, n_genes=8, mpp=4.0, spec=SPEC)


def test_importing_is_quick_and_imports_nothing_heavy():
    program = (
        "import sys\nbefore = set(sys.modules)\nimport mclstexp\nnew = set(sys.modules) - before\n"
        "others = {name.partition('.')[0] for name in new} - {'mclstexp'} - sys.stdlib_module_names\n"
        "print(len(new), *others)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    n_modules, *others = done.stdout.split()
    assert others == []
    assert int(n_modules) < 60


def test_every_public_name_is_there():
    assert dir(mx) == sorted(mx.__all__)
    assert all(getattr(mx, name) is not None for name in mx.__all__)
    with pytest.raises(AttributeError, match="module 'mclstexp' has no attribute 'predcit'"):
        mx.predcit  # noqa: B018


def test_three_lines(sections, tmp_path):
    model = mx.create("mean").fit(sections[:2])
    mx.save_model(model, tmp_path / "run")
    predicted = mx.predict(tmp_path / "run", sections[2].tiles)
    np.testing.assert_array_equal(predicted.X, model.predict(sections[2].tiles).X)


def test_tiles_are_read_as_the_model_needs_them(sections):
    model = mx.create("mean").fit(sections[:2])
    other = sections[2].tiles.with_spec(mx.TileSpec(16, 1.0))
    assert mx.predict(model, other).uns["mclstexp"]["spec"] == {"size_px": 32, "mpp": 4.0}
    with pytest.raises(mx.InputError, match="must be fitted before it predicts"):
        mx.predict(mx.create("mean"), other)


def test_a_given_panel_stands_on_the_methods_own_scale(tmp_path, monkeypatch):
    from mclstexp import api

    (tmp_path / "panel.txt").write_text("STROMA1\nTUMOUR1\n")
    made = DataConfig(synthetic=SyntheticConfig(n_patients=1, n_spots_side=4, n_genes=8, mpp=4.0))
    spaces = []
    monkeypatch.setattr(Predictor, "fit", lambda model, _, *, space, **given: spaces.append(space))
    for protocol in ("strict", "paper"):
        config = FitConfig(data=made, tile=SPEC, genes=str(tmp_path / "panel.txt"), options={"protocol": protocol})
        with pytest.raises(AttributeError, match="provenance_"):
            api.fit_model("mclstexp", config, out=tmp_path / "run")
    assert [(space.genes, space.axis) for space in spaces] == [
        (("STROMA1", "TUMOUR1"), "spot"),
        (("STROMA1", "TUMOUR1"), "gene"),
    ]
    assert not (tmp_path / "run").exists()


def test_what_reading_finds_is_said_everywhere_and_once(tmp_path):
    from mclstexp import api

    folder = st_files.write_st_folder(tmp_path / "s1")
    st_files.change(folder / "spots.tsv", lambda t: t.assign(pixel_x=["-9", *t["pixel_x"][1:]]))
    data = DataConfig(path=str(folder))
    with pytest.warns(UserWarning, match=r"^s1: 1 of 21 spots outside the image"):
        data.read(SPEC)
    # warnings are errors here: it is in the list alone
    ((_, found),) = api.validate(data, tile=SPEC)
    assert sum("1 of 21 spots outside the image" in sentence for sentence in found) == 1
    st_files.change(folder / "spots.tsv", lambda t: t.rename(columns={"pixel_x": "pixel_y", "pixel_y": "pixel_x"}))
    with pytest.raises(mx.InputError, match="spots"):
        api.validate(data, tile=SPEC)


def test_a_place_that_is_taken_is_said_before_the_work(tmp_path, monkeypatch):
    from mclstexp import api

    monkeypatch.setattr(DataConfig, "read", lambda *_: pytest.fail("read first"))
    (tmp_path / "thesis.txt").write_text("all of it")
    for overwrite in (False, True):
        with pytest.raises(mx.InputError, match="holds other files"):
            api.fit_model("mean", FitConfig(), out=tmp_path, overwrite=overwrite)
        with pytest.raises(mx.InputError, match="holds other files"):
            api.run_experiment(Experiment(methods={"mean": {}}), out=tmp_path, overwrite=overwrite)


def test_predictions_never_carry_measured_expression(sections, tmp_path):
    mx.save_model(mx.create("mean").fit(sections[:2]), tmp_path / "run")
    data = DataConfig(synthetic=SyntheticConfig(n_patients=3, n_spots_side=4, n_genes=8, mpp=4.0))
    with pytest.warns(UserWarning, match="trained on"):
        paths = predict_files(tmp_path / "run", data, out=tmp_path / "out")
    from mclstexp.io.predictions import read_prediction

    predicted = read_prediction(paths[2])
    assert paths[2].name == "P3_S1.h5ad"
    assert not predicted.layers
    assert predicted.raw is None
    assert np.ptp(predicted.X, axis=0).max() == 0, "the mean alone"
