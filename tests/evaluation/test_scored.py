"""The panel is the training sections' own; what a test section lacks of it is zero, or not scored, and said."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import select_hvg
from mclstexp.data.folds import folds_by_section
from mclstexp.evaluation.conformance import with_counts
from mclstexp.evaluation.exam import Rules, prepare, references, scorable
from mclstexp.evaluation.harness import evaluate
from mclstexp.evaluation.scored import lists_detected, scored, usual_genes
from mclstexp.evaluation.summary import summarise
from mclstexp.methods import create
from small_methods import small_sections

RULES = Rules(space=partial(ExpressionSpace.fit, genes=partial(select_hvg, n_genes=8)))


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _without(section, genes):
    return replace(section, counts=section.counts[:, [g for g in section.genes if g not in genes]])


def _detected(section):
    """List a rare gene too, as a table of what was detected does."""
    counts = section.counts.X.toarray()
    counts[:, -1] = 0
    counts[0, -1] = 1
    return with_counts(section, counts)


def test_the_panel_does_not_depend_on_what_the_test_file_lists(sections):
    *train, test = sections
    whole = prepare(folds_by_section(sections)[2], RULES)
    lost = whole.space.genes[:3]
    short = prepare(folds_by_section([*train, _without(test, lost)])[2], RULES)
    assert short.space == whole.space
    np.testing.assert_array_equal(short.train_mean, whole.train_mean)
    for name, mask in whole.gene_sets.items():
        np.testing.assert_array_equal(short.gene_sets[name], mask)


def test_what_a_selection_lacks_is_not_scored_and_said(sections):
    *train, test = sections
    lost = prepare(folds_by_section(sections)[2], RULES).space.genes[:3]
    fold = folds_by_section([*train, _without(test, lost)])[2]
    with pytest.warns(UserWarning, match=rf"{test.id}: 3 of the 8 genes of the panel \({lost[0]}, .*not scored there"):
        scores = evaluate([fold], {"mean": create("mean")}, controls={}, rules=RULES)
    assert not set(lost) & set(scores["gene"])
    assert len(set(scores["gene"]) - {""}) == 5
    assert summarise(scores).loc["mean", "n_constant"] == 0


def test_what_a_list_of_detected_genes_lacks_is_zero(sections):
    *train, test = sections
    test = _detected(test)
    lost = [gene for gene in prepare(folds_by_section(sections)[2], RULES).space.genes if gene != test.genes[-1]][:3]
    fold = folds_by_section([*train, _without(test, lost)])[2]
    exam = prepare(fold, RULES)
    assert exam.scored[test.id].genes.all()
    assert (exam.space(exam.fold.test[0].counts)[:, np.isin(exam.space.genes, lost)] == 0).all()
    assert "they count as zero, for it lists what was detected" in exam.notes[0]
    assert set(lost) <= set(references(exam)["gene"])


def test_a_gene_that_can_hardly_have_gone_undetected_is_asked_for(sections):
    *train, test = sections
    space = prepare(folds_by_section(sections)[2], RULES).space
    usual = usual_genes(train, space)
    shares = np.concatenate([space.panel(section.counts).toarray() > 0 for section in train]).mean(axis=0)
    assert usual == set(np.array(space.genes)[shares > 0.5])
    note = prepare(folds_by_section([*train, _without(test, space.genes[:2])])[2], RULES).notes[0]
    assert f"; 2 of them ({space.genes[0]}, {space.genes[1]}) have counts in most training spots: do they" in note
    rare = scored(_without(test, space.genes[:2]), test.genes, space=space, min_counts=1, usual=space.genes[2:])
    assert "most training spots" not in rare.notes[0]


def test_lists_are_told_apart_by_their_rarest_gene(sections):
    section = sections[0]
    counts = np.full(section.counts.shape, 3)
    assert not lists_detected(with_counts(section, counts)), "a selection of common genes"
    counts[2:, 0] = 0
    assert lists_detected(with_counts(section, counts))
    counts[:, 0] = 0
    assert not lists_detected(with_counts(section, counts)), "a list with undetected genes is complete"


def test_other_names_for_all_genes_are_refused_before_anything_is_learnt(sections):
    other = replace(sections[2], counts=sections[2].counts.copy())
    other.counts.var_names = [gene.lower() for gene in other.genes]
    folds = folds_by_section([*sections[:2], other])
    for step in (partial(scorable, folds, Rules()), partial(prepare, folds[2], Rules())):
        with pytest.raises(InputError, match="sections must share genes, found none common to all 3: are the names"):
            step()


def test_a_test_section_without_any_gene_of_the_panel_is_refused(sections):
    *train, test = sections
    rare = prepare(folds_by_section(sections)[2], RULES).space.genes
    with pytest.raises(InputError, match=rf"genes of the panel .* expected in section {test.id}, found none among"):
        prepare(folds_by_section([*train, _without(test, rare)])[2], RULES)


def test_a_section_of_few_spots_teaches_and_is_not_scored(sections):
    tiny = replace(sections[2].take(np.arange(3)), id="tiny")
    folds = scorable(folds_by_section([*sections[:2], tiny]), Rules())
    assert [(fold.name, len(fold.train)) for fold in folds] == [(s.id, 2) for s in sections[:2]]
    with pytest.warns(UserWarning, match=r"tiny: 3 spots with counts are too few to be scored \(min_spots=10\)"):
        scores = evaluate(folds_by_section([*sections[:2], tiny]), {"mean": create("mean")}, controls={})
    assert set(scores["section"]) - {""} == {section.id for section in sections[:2]}
    let_in = scorable(folds_by_section([*sections[:2], tiny]), Rules(min_spots=3))
    assert len(let_in) == 3
    with pytest.raises(InputError, match="at least 10 spots with counts to score expected, found 3 at most"):
        scorable(folds_by_section([tiny, replace(tiny, id="other")]), Rules())
