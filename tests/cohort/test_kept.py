"""What models of one evaluation have in common is computed once, and whenever anything that it hangs on is another."""

from dataclasses import replace

import numpy as np
import pytest

from made_cohort import made_table, written
from mclstexp.cohort import create_outcome_model, kept
from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import ArrayBag
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.run_plan import plan_of
from mclstexp.io.synthetic.patients import World

KINDS = {"n_prototypes": 3, "max_tiles": 300}
NETWORK = {**KINDS, "epochs": 1, "n_models": 1, "width": 4}


@pytest.fixture
def made():
    return World(n_tiles=20).make(24, seed=3)


@pytest.fixture
def counts(monkeypatch):
    """How often k-means ran, and slides were described."""
    seen = {"prototypes": 0, "slides": 0}
    learnt, shares = Prototypes._learnt.__func__, Prototypes.shares

    def learn(cls, *given, **how):
        seen["prototypes"] += 1
        return learnt(cls, *given, **how)

    def describe(self, *given):
        seen["slides"] += 1
        return shares(self, *given)

    monkeypatch.setattr(Prototypes, "_learnt", classmethod(learn))
    monkeypatch.setattr(Prototypes, "shares", describe)
    return seen


def answers(made, models):
    train, asked = (made.patients.subset(made.patients.ids[rows]) for rows in (slice(16), slice(16, None)))
    return [
        create_outcome_model(name, **options).fit(train, made.outcomes.subset(train.ids)).predict(asked).risk
        for name, options in models.items()
    ]


def test_models_share_prototypes_and_shares_and_say_the_same(made, counts, tmp_path):
    models = {"prototype_shares": KINDS, "prototype_x_pathway": {**KINDS, "penalty": 10.0}, "mmp": NETWORK}
    alone = answers(made, models)
    assert counts == {"prototypes": 3, "slides": 3 * 24}
    with kept.kept_in(tmp_path / "kept"):
        together = answers(made, models)
        again = answers(made, models)
    assert counts == {"prototypes": 4, "slides": 4 * 24}, "once more, for all three, twice"
    for one, two, three in zip(alone, together, again, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(two, three)


@pytest.mark.slow
def test_full_tokens_are_shared_as_well(made, monkeypatch, tmp_path):
    from mclstexp.cohort.networks.slide_tokens import TokenMaker

    seen, of = [], TokenMaker._of
    monkeypatch.setattr(TokenMaker, "_of", lambda self, bag: seen.append(bag) or of(self, bag))
    with kept.kept_in(tmp_path):
        one, two = (answers(made, {"mmp": {**NETWORK, "tokens": "share_mean"}}) for _ in range(2))
    assert len(seen) == 24
    np.testing.assert_array_equal(one, two)


def test_what_another_result_hangs_on_is_computed_anew(made, counts, tmp_path):
    with kept.kept_in(tmp_path):
        answers(made, {"prototype_shares": KINDS})
        for n, other in enumerate(({"seed": 1}, {"max_tiles": 200}, {"standardise": False}, {"n_prototypes": 4}), 2):
            answers(made, {"prototype_shares": KINDS | other})
            assert counts["prototypes"] == n, other
        slides = counts["slides"]
        answers(made, {"prototype_shares": {**KINDS, "pseudo_count": 2.0}})  # prototypes are those of the first
        assert counts == {"prototypes": 5, "slides": slides + 24}
        bags = (ArrayBag(made.patients.bags[0].take(range(20)) + 1), *made.patients.bags[1:])
        answers(replace(made, patients=replace(made.patients, bags=bags)), {"prototype_shares": KINDS})
        assert counts == {"prototypes": 6, "slides": slides + 48}


def test_what_is_damaged_or_too_large_is_computed_anew(made, counts, monkeypatch, tmp_path):
    with kept.kept_in(tmp_path):
        before = answers(made, {"prototype_shares": KINDS})
        for path in tmp_path.glob("*.safetensors"):
            path.write_bytes(path.read_bytes()[:-8])
        np.testing.assert_array_equal(answers(made, {"prototype_shares": KINDS}), before)
        assert counts == {"prototypes": 2, "slides": 48}
    monkeypatch.setattr(kept, "MOST_BYTES", 10)
    with kept.kept_in(tmp_path / "other"):
        answers(made, {"prototype_shares": KINDS})
        assert not list((tmp_path / "other").glob("*.safetensors*"))


def test_an_evaluation_keeps_them_for_its_models_fold_by_fold(counts, monkeypatch, tmp_path):
    table = made_table(60)
    (tmp_path / "features").mkdir()
    rng = np.random.default_rng(0)
    for name in table["patient"]:
        np.save(tmp_path / "features" / f"{name}.npy", rng.normal(size=(12, 5)).astype(np.float32))
    passes, chunks = [], FileBag.chunks
    monkeypatch.setattr(FileBag, "chunks", lambda self: passes.append(self) or chunks(self))
    content = {
        "task": "outcome",
        "data": {
            "path": str(written(table, tmp_path)),
            "outcome": "os:os_days,os_event",
            "features": str(tmp_path / "features"),
        },
        "folds": {"n_folds": 2},
        "methods": {
            "prototype_shares": KINDS,
            "clinical+prototype_shares": KINDS,
            "again": {"method": "prototype_shares", **KINDS, "log_ratio": True},
        },
    }
    plan = plan_of(experiment_of(content, where="a test"), tmp_path / "run")
    for fold in plan.folds:
        for label in content["methods"]:
            scores = plan.judge(label, fold, workdir=tmp_path / "work", keep=lambda *_: None)
            assert "failed" not in set(scores["metric"])
    assert counts == {"prototypes": 2, "slides": 2 * 60}
    assert len(passes) == 2 * 60 + 2 * 30, "each slide is gone through once a fold, and drawn from where it teaches"
