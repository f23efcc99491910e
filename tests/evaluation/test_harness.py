"""The harness: who is judged on what, how scores are averaged, and what a failure leaves."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.predictor import Predictor, State
from mclstexp.data.folds import folds_by_patient, folds_by_section
from mclstexp.evaluation.harness import COLUMNS, evaluate, summarise
from mclstexp.methods import create
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


@pytest.fixture(scope="module")
def sections():
    return small_sections(2, sections_per_patient=2)


def test_scores_are_tidy_and_can_be_checked_by_hand(sections):
    knn = create("knn", encoder=ENCODER, k=3)
    scores = evaluate(folds_by_patient(sections), {"mean": create("mean"), "knn": knn})
    assert list(scores.columns) == [*COLUMNS, "heg50"]
    assert not knn.is_fitted
    assert len(scores) == 2 * 4 * 4 * 30  # methods, sections, metrics, genes
    train, test = sections[:2], sections[2]
    model = create("knn", encoder=ENCODER, k=3).fit(train)
    expected = pearson_per_gene(model.space_(test.counts), model.predict(test.tiles).X)
    rows = scores.query("method == 'knn' and section == @test.id and metric == 'pcc'")
    np.testing.assert_allclose(rows["value"], expected)
    assert set(rows["patient"]) == {test.patient}
    assert set(rows["by"]) == {"patient"}


def test_a_failure_is_a_row_and_the_others_go_on(sections):
    methods = {"bad": Broken(), "nan": Broken(how="nan"), "mean": create("mean")}
    scores = evaluate(folds_by_patient(sections), methods)
    failed = scores[scores["metric"] == "failed"]
    assert failed.groupby("method").size().to_dict() == {"bad": 2, "nan": 2}
    assert "ValueError: no fit today" in set(failed["reason"])
    table = summarise(scores)
    assert table.loc["mean", "failed"] == ""
    assert "not finite" in table.loc["nan", "failed"]
    assert np.isnan(table.loc["bad", "pcc"])


def test_a_bug_is_shown_at_once(sections):
    with pytest.raises(AttributeError):
        evaluate(folds_by_patient(sections), {"bug": Broken(how="bug")})


def test_only_genes_common_to_a_fold_are_used(sections):
    fewer = replace(sections[0], counts=sections[0].counts[:, 3:])
    scores = evaluate(folds_by_section([fewer, *sections[1:]]), {"mean": create("mean")})
    assert set(scores["gene"]) == set(sections[0].genes[3:])
    assert set(scores["by"]) == {"section"}


def _scores(rows):
    base = {"fold": "f", "by": "patient", "gene": "G", "metric": "pcc", "reason": "", "heg50": True}
    return pd.DataFrame([base | row for row in rows])


def test_patients_weigh_alike_however_many_sections_they_have():
    rows = [{"method": "m", "patient": "A", "section": f"A{i}", "value": 1.0} for i in range(3)]
    rows += [{"method": "m", "patient": "B", "section": "B1", "value": 0.0}]
    assert summarise(_scores(rows)).loc["m", "pcc"] == 0.5
    assert summarise(_scores(rows), over="section").loc["m", "pcc"] == 0.75


def test_genes_without_a_score_are_left_out_and_counted():
    rows = [
        {"method": "m", "patient": "A", "section": "A1", "gene": "G", "value": 0.4},
        {"method": "m", "patient": "A", "section": "A1", "gene": "H", "value": np.nan},
    ]
    table = summarise(_scores(rows))
    assert table.loc["m", "pcc"] == 0.4
    assert table.loc["m", "n_constant"] == 1


def test_the_best_stands_first_and_the_number_of_patients_beside():
    rows = [{"method": m, "patient": p, "section": p, "value": v} for m, v in (("a", 0.1), ("b", 0.3)) for p in "PQ"]
    table = summarise(_scores(rows))
    assert list(table.index) == ["b", "a"]
    assert table.loc["b", "n_patients"] == 2
    assert table.attrs["by"] == "patient"
