"""The harness: who is judged on what, how scores are averaged, and what a failure leaves."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.predictor import Predictor, State
from mclstexp.data.folds import folds_by_patient, folds_by_section
from mclstexp.evaluation.exam import Rules
from mclstexp.evaluation.harness import evaluate
from mclstexp.evaluation.metrics import GENE_METRICS
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.evaluation.structure import SECTION_METRICS
from mclstexp.evaluation.summary import summarise
from mclstexp.methods import create
from mclstexp.methods.mean import Mean
from small_methods import ENCODER, small_sections


@dataclass
class Broken(Predictor):
    """Fails as the option says."""

    how: str = "value"

    def _fit(self, sections):
        if self.how == "value":
            raise ValueError("no fit today")

    def _predict(self, tiles):
        return np.full((len(tiles), len(self.genes_)), np.nan) if self.how == "nan" else [].no_such_attribute

    def _get_state(self):
        return State({}, {})

    def _set_state(self, state):
        pass


class Looking(Mean):
    """Says that it looks at all test tiles at once."""

    transductive = True


class Chosen(Mean):
    """Its defaults were chosen by scores on some data."""

    tuned_on = ("mob_st",)


@pytest.fixture(scope="module")
def sections():
    return small_sections(2, sections_per_patient=2)


def test_scores_are_tidy_and_can_be_checked_by_hand(sections):
    knn = create("knn", encoder=ENCODER, k=3)
    scores = evaluate(folds_by_patient(sections), {"mean": create("mean"), "knn": knn}, controls={})
    assert list(scores.columns) == [*COLUMNS, "heg50"]
    assert not knn.is_fitted
    of_methods = scores[scores["kind"] != "reference"]
    assert set(of_methods["kind"]) == {"control"}
    counted = of_methods.groupby("metric", observed=True).size().to_dict()
    assert counted == {
        **dict.fromkeys(GENE_METRICS, 2 * 4 * 30),  # methods, sections, genes
        **dict.fromkeys(SECTION_METRICS, 2 * 4),
        **dict.fromkeys(("seconds", "peak_mib"), 2 * 2),  # methods, folds
    }
    assert set(scores.loc[scores["kind"] == "reference", "method"].unique()) == {"depth oracle", "noise ceiling"}
    train, test = sections[:2], sections[2]
    model = create("knn", encoder=ENCODER, k=3).fit(train)
    expected = pearson_per_gene(model.space_(test.counts), model.predict(test.tiles).X)
    rows = scores.query("method == 'knn' and section == @test.id and metric == 'pcc'")
    np.testing.assert_allclose(rows["value"], expected)
    assert set(rows["patient"]) == {test.patient}
    assert set(rows["by"]) == {"patient"}


def test_a_failure_is_a_row_and_the_others_go_on(sections):
    methods = {"bad": Broken(), "nan": Broken(how="nan"), "mean": create("mean")}
    scores = evaluate(folds_by_patient(sections), methods, controls={})
    failed = scores[scores["metric"] == "failed"]
    assert failed.groupby("method", observed=True).size().to_dict() == {"bad": 2, "nan": 2}
    assert "ValueError: no fit today" in set(failed["reason"])
    table = summarise(scores)
    assert table.loc["mean", "failed"] == ""
    assert "not finite" in table.loc["nan", "failed"]
    assert np.isnan(table.loc["bad", "pcc"])


def test_a_bug_is_a_row_too_and_its_place_is_logged(sections, caplog):
    scores = evaluate(folds_by_patient(sections)[:1], {"bug": Broken(how="bug")}, controls={})
    assert scores["reason"].str.contains("AttributeError").any()
    assert "no_such_attribute" in caplog.text, "the traceback"


def test_controls_stand_in_every_table_on_the_methods_encoder(sections):
    scores = evaluate(folds_by_patient(sections)[:1], {"mine": create("knn", encoder=ENCODER, k=3)})
    assert set(scores["method"].unique()) == {
        *("mean", "coordinates", "colour", "density", "ridge", "mine", "pls, common sight"),
        *("depth oracle", "noise ceiling"),
    }
    assert not (scores["metric"] == "failed").any()


def test_a_method_that_looks_at_the_test_must_be_let_in(sections):
    method = Looking()
    with pytest.raises(InputError, match="found 'm', which learns from the test tiles as a set"):
        evaluate(folds_by_patient(sections), {"m": method}, controls={})
    scores = evaluate(folds_by_patient(sections), {"m": method}, controls={}, rules=Rules(transductive=True))
    assert scores.loc[scores["kind"] == "method", "transductive"].all()
    assert not scores.loc[scores["kind"] == "reference", "transductive"].any()


@pytest.mark.parametrize(("data_set", "tuned"), [("mob_st", True), (" MOB_ST", True), ("her2st", False), ("", False)])
def test_rows_say_whether_defaults_were_chosen_on_these_data(sections, data_set, tuned):
    methods = {"mine": Chosen(), "other": create("mean")}
    scores = evaluate(folds_by_patient(sections)[:1], methods, controls={}, rules=Rules(data_set=data_set))
    assert (scores.loc[scores["method"] == "mine", "tuned"] == tuned).all()
    assert not scores.loc[scores["method"] != "mine", "tuned"].any()


@pytest.mark.filterwarnings("ignore:.*genes of the panel")
def test_only_genes_common_to_the_training_sections_are_used(sections):
    fewer = replace(sections[0], counts=sections[0].counts[:, 3:])
    scores = evaluate(folds_by_section([fewer, *sections[1:]]), {"mean": create("mean")}, controls={})
    learnt_from_fewer = scores[(scores["fold"] != fewer.id) & (scores["gene"] != "")]
    assert set(learnt_from_fewer["gene"]) == set(sections[0].genes[3:])
    assert set(scores["by"]) == {"section"}
