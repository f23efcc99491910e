"""The report speaks to who has only the page: who was tested, what a verdict rests on, what fits chose."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis.gene_ranking import MEASURED, _judge
from mclstexp.core.method import chosen
from mclstexp.methods import create
from mclstexp.report import page_domains
from mclstexp.report.page_domains import colours_of, domains_of_all, marking_genes
from mclstexp.report.page_methods import chosen_settings
from mclstexp.report.page_study import Study
from mclstexp.report.page_text import spelt_out, who_was_tested


def study_of(*pairs):
    return Study({"experiment": {}}, pd.DataFrame(), "ridge", pairs)


def pair_of(id, patient, rng):  # noqa: A002
    maps = smooth_maps(rng, square(6), 4)
    return made_pair(maps, maps, id=id, patient=patient)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_who_was_tested_is_said(rng):
    a1, a2, b = pair_of("S1", "Ann", rng), pair_of("S2", "Ann", rng), pair_of("Ben", "Ben", rng)
    assert who_was_tested(study_of(a1, a2, b)) == "Tested on patients Ann (S1, S2) and Ben."
    assert who_was_tested(study_of(a1)) == "Tested on patient Ann (S1)."
    unknown = pair_of("S3", None, rng)
    assert who_was_tested(study_of(unknown)) == "Tested on S3, of whom it is not known which patients they are."
    assert who_was_tested(study_of(a1, unknown)).startswith("Tested on patient Ann (S1) and on S3, of whom")


@pytest.mark.parametrize("q", [0.01, 0.5])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_each_reason_is_spelt_out(q, share):
    _, why = _judge(q, share, MEASURED)
    assert why.startswith("given depth")
    assert "given depth" not in spelt_out(why)
    assert "the density of cells" in spelt_out(why)
    assert spelt_out("too little of its own was measured to judge") == "too little of its own was measured to judge"


def test_what_fits_chose_is_shown_in_place_of_what_was_left_to_them(rng):
    ridge = create("ridge")
    assert chosen(ridge) == {}
    ridge.alpha_ = 10.0
    assert chosen(ridge) == {"alpha": 10.0}
    told = create("ridge", alpha=3.0)
    told.alpha_ = 3.0
    assert chosen(told) == {}, "it was said"
    pairs = [pair_of("S1", "A", rng), pair_of("S2", "B", rng), pair_of("S3", "C", rng)]
    for pair, alpha in zip(pairs, ("10.0", "100.0", "10.0"), strict=True):
        pair.predicted.uns["mclstexp"]["chosen"] = {"alpha": alpha}
    assert chosen_settings(study_of(*pairs)) == {"alpha": "10.0, 100.0 (chosen on training sections)"}
    assert chosen_settings(study_of(pair_of("S4", "D", rng))) == {}, "an older result does not say"


def test_domains_are_named_by_the_genes_that_mark_them(rng, monkeypatch):
    left = square(6)[:, 0] < 3
    maps = np.where(np.column_stack([left, ~left, left, left]), 2.0, 0.0) + 0.01 * rng.normal(size=(36, 4))
    maps[:, 2:] *= (0.5, 0.1)
    pair = made_pair(maps, np.log1p(maps.clip(0)), id="S1")
    monkeypatch.setattr(page_domains, "find_domains", lambda pair, **_: np.where(left, "1", "2"))
    found = domains_of_all([pair], "kmeans")
    assert set(found.by_section["S1"].truth[left]) == set(found.by_section["S1"].predicted[left]) == {"1 · G0, G2"}
    assert set(found.by_section["S1"].predicted[~left]) == {"2 · G1"}
    other = domains_of_all([dataclasses.replace(pair)], "kmeans")
    assert colours_of(found) == colours_of(other)
    assert colours_of(found).keys() == {"1 · G0, G2", "2 · G1"}
    assert marking_genes(maps, np.ones(36, bool), genes=pair.genes, most=2) == []


def test_labelled_domains_keep_their_labels(rng, monkeypatch):
    left = square(6)[:, 0] < 3
    maps = smooth_maps(rng, square(6), 4)
    pair = made_pair(maps, maps, id="S1", labels=np.where(left, "tumour", "stroma"))
    monkeypatch.setattr(page_domains, "find_domains", lambda pair, **_: np.where(left, "1", "2"))
    assert set(domains_of_all([pair], "kmeans").by_section["S1"].truth) == {"≈ tumour", "≈ stroma"}
