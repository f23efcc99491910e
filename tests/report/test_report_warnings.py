"""Warnings come when they should, and only then."""

import dataclasses
from functools import cache

import numpy as np
import pandas as pd
import pytest

from made_pairs import PITCH_UM, made_pair, smooth_maps, square
from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.pairs import Pair
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.evaluation.exam import CEILING, ORACLE
from mclstexp.evaluation.notes import name_all
from mclstexp.io.slides import ArraySlide
from mclstexp.report import page_study
from mclstexp.report.page_domains import DomainsOfAll
from mclstexp.report.page_errors import measure_errors
from mclstexp.report.page_headline import against_controls, not_told_apart
from mclstexp.report.page_methods import settings, without_places
from mclstexp.report.page_study import Study
from mclstexp.report.page_text import on_certainty, on_failure, on_genes
from mclstexp.report.page_warnings import find_warnings

NONE = DomainsOfAll({}, "", "")


def made_scores(pcc, *, by="patient", protocol="strict", patients=("A", "B", "C", "D", "E", "F"), transductive=()):
    """Scores of methods by their PCC on each section, one section a patient."""
    rows = []
    kinds = {"knn": "control", ORACLE: "reference", CEILING: "reference"}
    for method, values in pcc.items():
        for n, value in enumerate(np.broadcast_to(values, len(patients))):
            where = {"fold": f"S{n}", "patient": patients[n], "section": f"S{n}", "reason": ""}
            for gene in range(3):
                rows.append(
                    {
                        "method": method,
                        "kind": kinds.get(method, "method"),
                        "by": by,
                        "protocol": protocol,
                        "space": "s",
                        "transductive": method in transductive,
                        "gene": f"G{gene}",
                        "metric": "ceiling" if method == CEILING else "pcc",
                        "value": value + 0.01 * gene,
                        **where,
                    }
                )
    return pd.DataFrame(rows)


def on_tissue(pair):
    """The same spots on a picture of stained tissue that holds them."""
    slide = ArraySlide(np.full((130, 130, 3), (180, 100, 160), np.uint8), mpp=20.0, id=pair.id)
    tiles = pair.section.tiles
    tiles = Tiles(slide, (tiles.xy + PITCH_UM / 2) / 20, tiles.ids, TileSpec(8, 20.0), array_xy=tiles.array_xy)
    return Pair(dataclasses.replace(pair.section, tiles=tiles), pair.predicted)


@cache
def made_sections(patients, depth, spots):
    pairs = []
    for n, patient in enumerate(patients):
        maps = smooth_maps(np.random.default_rng(n), square(spots), 3)
        pairs.append(on_tissue(made_pair(maps, maps + 0.1, id=f"S{n}", patient=patient, depth=depth, seed=n)))
    return tuple(pairs)


@cache
def ranked(pairs):
    return rank_genes(pairs, n_permutations=19)


def made_study(pcc, *, patients=("A", "B", "C", "D", "E", "F"), depth=400, spots=10, **said):
    pairs = made_sections(patients, depth, spots)
    ids = [pair.id for pair in pairs]
    folds = {
        name: {"by": "patient", "train": [other for other in ids if other != name], "test": [name]} for name in ids
    }
    record = {
        "experiment": {"title": "", "data": {}},
        "methods": {"a": {"method": "pls"}},
        "sections": dict.fromkeys(ids, "0"),
        "patients": dict(zip(ids, patients, strict=True)),
        "folds": folds,
    }
    return Study(record, made_scores(pcc, patients=patients, **said), "a", pairs)


def warned(study, domains=NONE):
    return " ".join(find_warnings(study, measure_errors(study, domains), domains))


GOOD = {"a": [0.5, 0.55, 0.6, 0.5, 0.52, 0.58], "knn": 0.2, ORACLE: 0.1, CEILING: 0.9}


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_study, "rank_genes", ranked)
        yield


@pytest.fixture(scope="module")
def good():
    return made_study(GOOD)


def test_a_sound_evaluation_raises_none_about_itself(good):
    text = warned(good)
    for word in ("patient", "folds", "Protocol", "control", "chance", "shallow", "total count", "no prediction"):
        assert word not in text, text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"patients": ("A", "B", "C")}, "3 patients cannot tell methods apart"),
        ({"patients": ("A",) * 3, "by": "section"}, "In 3 of 3 folds the tested patient's other sections were learnt"),
        ({"protocol": "paper"}, 'Protocol "paper"'),
        ({"transductive": ("a",)}, "Transductive"),
    ],
)
def test_how_it_was_judged_is_warned_of(said, expected):
    patients = said.get("patients", ("A", "B", "C", "D", "E", "F"))
    pcc = {name: np.broadcast_to(values, 6)[: len(patients)] for name, values in GOOD.items()}
    text = warned(made_study(pcc, **said))
    assert expected in text
    assert "may have been learnt from" not in text, "the folds themselves say it"


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("knn", 0.7, "a scores no better than the control knn"),
        ("knn", [0.4, 0.65, 0.55, 0.55, 0.45, 0.6], "a cannot be told from the control knn"),
        ("b", [0.51, 0.53, 0.61, 0.5, 0.52, 0.58], "b cannot be told from a"),
        (ORACLE, 0.7, "total count would score a PCC of 0.710, where a has 0.552"),
    ],
)
def test_what_the_table_shows_is_warned_of(good, method, value, expected):
    study = dataclasses.replace(good, scores=made_scores({**GOOD, method: value}))
    assert expected in warned(study)


def test_nothing_is_told_apart_over_few_patients_however_clear():
    pcc = {name: np.broadcast_to(values, 6)[:3] for name, values in GOOD.items()}
    text = warned(made_study({**pcc, "b": [0.3, 0.31, 0.29]}, patients=("A", "B", "C")))
    assert "a cannot be told from the control knn: 3 patients cannot tell methods apart: the smallest" in text
    assert text.startswith("3 patients cannot tell methods apart: the smallest possible p is 0.25.")
    assert "knn and b cannot be told from a" in text or "b and knn cannot be told from a" in text


def test_a_method_that_failed_and_its_sections_are_named(good):
    failed = good.scores[(good.scores["method"] == "a") & (good.scores["section"] == "S5")].head(1)
    rest = good.scores[~((good.scores["method"] == "a") & (good.scores["section"] == "S5"))]
    failed = failed.assign(metric="failed", value=np.nan, gene="", section="", patient="", reason="ran out of memory")
    text = warned(dataclasses.replace(good, scores=pd.concat([rest, failed]), pairs=good.pairs[:5]))
    assert "a failed in 1 of 6 folds" in text
    assert "a has no prediction of S5" in text


def test_shallow_sections_are_warned_of_once():
    text = warned(made_study(GOOD, depth=2, spots=6))
    assert text.count("36 spots are few") == 1
    assert "S0, S1, S2, S3, S4 and S5: 36 spots" in text
    assert "genes were measured too shallowly" in text or "is shallow" in text


def test_domains_that_are_missing_are_excused(good):
    assert "No domains are shown: scanpy expected" in warned(good, DomainsOfAll({}, "", "scanpy expected"))


def test_better_than_the_control_is_said_with_its_doubt(good):
    text = against_controls(good)
    assert text.startswith("a is 0.342 PCC above the best control, knn (95 % interval +0.297")
    assert "p\u00a0= 0.031, where the smallest possible is 0.031" in text
    assert not_told_apart(good) == ("a", [])


def test_answers_name_what_was_measured(good):
    errors = measure_errors(good, NONE)
    assert np.concatenate([*errors.by_spot.values()]).mean() == pytest.approx(1, abs=1e-6)
    text = " ".join([*on_genes(good), *on_failure(errors)])
    assert "of 3 genes" in text
    assert f"Weakest section: {errors.sections['section'].iloc[0]}" in text
    best = good.ranking.index[0]
    assert best in text


def test_places_on_a_machine_are_not_told():
    assert without_places({"data": {"path": "/home/ann/her2st"}, "k": [1, "/a/b", "c"]}) == {
        "data": {"path": "…/her2st"},
        "k": [1, "…/b", "c"],
    }
    assert settings({"epochs": None, "symmetric": True, "radii": [1.5, 2], "checkpoint": "/a/b.pt"}) == {
        "epochs": "not set",
        "symmetric": "yes",
        "radii": "1.5, 2",
        "checkpoint": "…/b.pt",
    }


def test_long_lists_are_cut():
    assert name_all(["a"]) == "a"
    assert name_all(["a", "b", "c"]) == "a, b and c"
    assert name_all(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


@pytest.mark.parametrize(
    ("patients", "by", "expected"),
    [
        (("A", "B", "C"), "patient", ["were learnt on other individuals alone."]),
        (
            ("A", "B"),
            "patient",
            ["on other individuals alone: on one, which cannot show how individuals differ as a whole"],
        ),
        (("A", "A", "A"), "section", ["of the same individual, for there is no other: they are for this individual"]),
        (("A", "B", "C"), "section", ["other individuals alone.", "of one it has seen nothing of they hold less"]),
        ((None, None), "section", ["Nobody said whom", "not for a new individual"]),
    ],
)
def test_for_whom_intervals_are_is_said(patients, by, expected):
    pcc = {name: np.broadcast_to(values, 6)[: len(patients)] for name, values in GOOD.items()}
    study = made_study(pcc, patients=patients, by=by)
    said = " ".join(on_certainty(study, measure_errors(study, NONE)))
    assert all(sentence in said for sentence in expected)
    assert ("other individuals" in said) == (patients[0] != patients[1])
