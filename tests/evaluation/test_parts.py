"""A part counts where it is whole and of the very same experiment; scores and predictions belong together."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation import runner
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.run_plan import Plan
from mclstexp.evaluation.worker import judge_part
from mclstexp.io.predictions import read_prediction
from mclstexp.io.synthetic import make_sections


@pytest.fixture
def computed(monkeypatch):
    """Compute parts in this process, and say which."""
    computed = []

    def compute(plan, todo, *, jobs, say):
        for label, folds in todo.items():
            for fold in folds:
                computed.append((label, fold))
                judge_part(plan, label, fold)
        return {}

    monkeypatch.setattr(runner, "_compute", compute)
    return computed


def _plan(folder, k=2, **changes):
    methods = {"knn": {"k": k}, "mean": {}, "coordinates": {"k": 2}, "ridge": {"n_components": 2}}
    content = {
        "data": {"synthetic": {"n_patients": 2, "n_spots_side": 4, "n_genes": 10, "mpp": 4.0}},
        "tile": {"size_px": 32, "mpp": 4.0},
        "encoder": "random:test_efficientnet",
        "gene_sets": {"top": {"heg": 3}},
        "methods": methods,
    }
    return Plan(experiment_of(content | changes, where="test"), folder, code={"source": "the same"})


def _scores(plan, label):
    table = runner.run_plan(plan)
    rows = table[(table["method"] == label) & ~table["metric"].isin(["seconds", "peak_mib"])]
    return rows.drop(columns="reason").astype(str).to_numpy().tolist()


def _predicted(plan, label="knn"):
    return {path.stem: read_prediction(path).X for path in (plan.folder / "predictions" / label).iterdir()}


@pytest.mark.slow
def test_an_option_changed_and_changed_back_gives_scores_and_predictions_of_one_setting(tmp_path, computed):
    first = _plan(tmp_path)
    scores, predicted = _scores(first, "knn"), _predicted(first)
    n_first = len(computed)
    other = _plan(tmp_path, k=5)
    assert _scores(other, "knn") != scores
    assert {label for label, _ in computed[n_first:]} == {"knn"}
    others = _predicted(other)
    assert any(not np.array_equal(others[name], predicted[name]) for name in predicted)

    del computed[:]
    again = _plan(tmp_path)
    assert _scores(again, "knn") == scores
    assert computed == [], "nothing is computed twice"
    found = _predicted(again)
    assert all(np.array_equal(found[name], predicted[name]) for name in predicted)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["prediction", "scores", "seal", "gone"])
def test_a_damaged_part_is_computed_again_in_the_same_run(tmp_path, computed, what):
    plan = _plan(tmp_path)
    scores, predicted = _scores(plan, "knn"), _predicted(plan)
    key = plan.key("knn", "P1")
    damaged = {
        "scores": plan.parts.path(key),
        "prediction": plan.parts.prediction(key, 0),
        "seal": plan.parts.path(key).with_name("scores.parquet.seal"),
        "gone": plan.parts.prediction(key, 0),
    }[what]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.unlink() if what == "gone" else damaged.write_bytes(content)
    del computed[:]
    assert _scores(plan, "knn") == scores
    assert computed == [("knn", "P1")]
    found = _predicted(plan)
    assert all(np.array_equal(found[name], predicted[name]) for name in predicted)


@pytest.mark.slow
def test_a_part_that_is_damaged_whenever_it_is_made_is_no_result(tmp_path, computed, monkeypatch):
    plan = _plan(tmp_path)
    write = type(plan.parts).write

    def spoil(parts, key, scores, predicted):
        write(parts, key, scores, predicted)
        if key == plan.key("mean", "P2"):
            parts.path(key).write_bytes(b"spoilt")

    monkeypatch.setattr(type(plan.parts), "write", spoil)
    with pytest.raises(InputError, match=r"that of mean on P2 damaged, .* 2 times: check that disk"):
        runner.run_plan(plan)
    assert computed.count(("mean", "P2")) == 2
    assert plan.parts.read(plan.key("knn", "P1")) is not None, "what is whole stays"


def _changed_sections():
    """Ways in which the data may differ from those of `_plan`, each of which must make another part."""
    *rest, last = make_sections(2, n_spots_side=4, n_genes=10, mpp=4.0, spec=TileSpec(32, 4.0))
    tiles, slide = last.tiles, last.tiles.slide
    moved = type(slide)(slide._array, mpp=4.2, id=slide.id)
    counts = last.counts.copy()
    counts.X[0, 0] += 1
    labelled = last.counts.copy()
    labelled.obs["label"] = "tumour"
    yield "same", [*rest, last]
    yield (
        "pixels",
        [*rest, replace(last, tiles=replace(tiles, slide=type(slide)(255 - slide._array, mpp=4.0, id=slide.id)))],
    )
    yield "mpp", [*rest, replace(last, tiles=replace(tiles, slide=moved))]
    yield "xy", [*rest, replace(last, tiles=replace(tiles, xy=tiles.xy + 0.25))]
    yield "array", [*rest, replace(last, tiles=replace(tiles, array_xy=tiles.array_xy + 1))]
    yield "no array", [*rest, replace(last, tiles=replace(tiles, array_xy=None))]
    yield "counts", [*rest, replace(last, counts=counts)]
    yield "labels", [*rest, replace(last, counts=labelled)]
    yield "patient", [*rest, replace(last, patient="P9")]


@pytest.mark.parametrize(("what", "sections"), list(_changed_sections()), ids=[w for w, _ in _changed_sections()])
def test_the_key_of_a_part_follows_the_data(tmp_path, what, sections):
    plan, changed = _plan(tmp_path), _plan(tmp_path)
    changed.__dict__["sections"] = sections
    # on whichever side the section stands
    keys = zip(
        (plan.key("mean", fold) for fold in plan.folds), (changed.key("mean", f) for f in changed.folds), strict=True
    )
    assert {one == other for one, other in keys} == {what == "same"}
