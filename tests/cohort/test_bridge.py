"""From predictions of slides to patients: which genes count, what is refused, and what the table remembers."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import mclstexp as mx
from made_cohort import made_table, written
from mclstexp.cohort.bridge import predicted
from mclstexp.cohort.bridge.origin import Origin, person, read_about, read_origin
from mclstexp.cohort.bridge.overlap import learnable
from mclstexp.cohort.checks import check_cohort
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.experiment import Division
from mclstexp.cohort.table import read_cohort
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.io.predictions import write_prediction
from predicted_slides import GENES, SETS, prediction, slides

OUTCOME = "os:os_days,os_event"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "predictions"
    for one in slides(4):
        write_prediction(one, place / f"{one.uns['mclstexp']['slide']}.h5ad")
    return place


def test_means_are_over_tiles_and_genes_are_those_that_are_predictable(folder):
    made = slides(4)
    summary = mx.summarise_expression(folder)
    assert list(summary.genes.columns) == list(GENES[:7])
    assert list(summary.genes.index) == ["S0", "S1", "S2", "S3"]
    np.testing.assert_allclose(summary.genes, [one.X[:, :7].mean(axis=0, dtype=float) for one in made], rtol=1e-6)
    assert list(summary.n_tiles) == [5, 6, 7, 8]
    assert summary.origin.patients == ("p", "q")
    assert summary.origin.sections == ("A/1", "B")
    assert str(summary.origin) == "predicted from the slides by ridge (7 of 12 genes, those called predictable)"
    assert mx.summarise_expression(folder, genes="doubtful").genes.shape == (4, 10)
    everything = mx.summarise_expression(folder, genes="all")
    assert everything.genes.shape == (4, 12)
    assert "whatever an evaluation says" in str(everything.origin)


def test_files_and_what_is_in_memory_are_one_and_blocks_change_nothing(folder, monkeypatch):
    from_files = mx.summarise_expression(folder, gene_sets=SETS)
    from_memory = mx.summarise_expression(slides(4), gene_sets=SETS)
    assert from_files.origin == from_memory.origin
    pd.testing.assert_frame_equal(from_files.pathways, from_memory.pathways)
    monkeypatch.setattr(predicted, "ROWS", 2)
    pd.testing.assert_frame_equal(mx.summarise_expression(folder).genes, from_memory.genes)
    mixed = mx.summarise_expression([folder / "S1.h5ad", slides(4)[0]])
    assert list(mixed.genes.index) == ["S1", "S0"]


def test_pathways_are_mean_z_over_the_genes_that_count_and_said_to_be(folder):
    summary = mx.summarise_expression(folder, gene_sets=SETS)
    spread = 2 / (2 * 2.3263478740408408)  # of a normal gene whose 1 % and 99 % quantiles are 2 apart
    z = (summary.genes - (np.arange(7.0) + 1)) / spread
    np.testing.assert_allclose(summary.pathways["whole"], z.iloc[:, :6].mean(axis=1))
    assert summary.pathways[["nearly", "few"]].isna().all(axis=None)
    assert list(summary.carried()["n_genes"]) == [6, 3, 2]
    assert summary.carried().loc["few", "genes"] == "G0 G1"
    more = mx.summarise_expression(folder, gene_sets=SETS, genes="doubtful")
    assert more.pathways["nearly"].notna().all()
    assert list(more.carried()["n_genes"]) == [6, 5, 3]


def test_a_slide_alone_has_the_row_that_it_has_among_others(folder):
    together = mx.summarise_expression(folder, gene_sets=SETS)
    alone = mx.summarise_expression(folder / "S2.h5ad", gene_sets=SETS)
    pd.testing.assert_frame_equal(alone.genes, together.genes.loc[["S2"]])
    pd.testing.assert_frame_equal(alone.pathways, together.pathways.loc[["S2"]])


def test_a_gene_that_did_not_vary_in_training_carries_nothing():
    made = slides(2)
    for one in made:
        one.var.loc["G0", "training_high"] = one.var.loc["G0", "training_low"]
    summary = mx.summarise_expression(made, gene_sets={"whole": GENES[:6]})
    assert summary.carried_by == {"whole": GENES[1:6]}
    assert np.isfinite(summary.pathways).all(axis=None)


def test_tiles_that_could_not_be_read_are_left_out():
    made = prediction("S", np.ones((4, 12)))
    made.X[1] = np.nan
    with pytest.raises(InputError, match="finite numbers expected in the prediction, found others for G0"):
        mx.summarise_expression(made)
    made.obs["unreadable"] = [False, True, False, False]
    summary = mx.summarise_expression(made)
    assert (summary.genes == 1).all(axis=None)
    assert list(summary.n_tiles) == [3]
    made.obs["unreadable"] = True
    with pytest.raises(InputError, match="tiles with a prediction expected"):
        mx.summarise_expression(made)


def test_slides_of_a_patient_are_one_bag(tmp_path):
    table = made_table(3).assign(slide=["S0", "S1", "S3"])
    table = pd.concat([table, table.iloc[[0]].assign(slide="S2")])
    cohort = read_cohort(CohortConfig(path=str(written(table, tmp_path))))
    made = slides(5)
    with pytest.warns(UserWarning, match="1 of 5 predictions are of slides that are not the cohort's"):
        summary = mx.summarise_expression(made, by="patient", cohort=cohort)
    both = np.concatenate([made[0].X, made[2].X])[:, :7]
    np.testing.assert_allclose(summary.genes.loc["P000"], both.mean(axis=0, dtype=float), rtol=1e-6)
    assert summary.slides["P000"] == ("S0", "S2")
    assert summary.genes.index.name == "patient"
    with pytest.raises(InputError, match="a cohort that says whose slides they are expected"):
        mx.summarise_expression(made, by="patient")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"method": "pls"}, "of one model expected, found other method"),
        ({"options": {"alpha": "2.0"}}, "of one model expected, found other options"),
        ({"sections": {"A/1": "2" * 64}}, "of one model expected, found other sections"),
        ({"space": ExpressionSpace(GENES, target_sum=100.0).record()}, "on one scale expected, found other space"),
        ({"verdicts": ("doubtful",) * 12}, "of one model expected, found other verdict"),
    ],
)
def test_predictions_of_two_models_or_scales_are_refused(other, reason):
    with pytest.raises(InputError, match=reason):
        mx.summarise_expression([*slides(1), *slides(1, names=["T"], **other)])


def test_what_cannot_be_relied_on_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"verdicts on the genes expected .* \(verdicts=\"RESULTS\"\).*genes=\"all\""):
        mx.summarise_expression(slides(2, verdicts=None))
    assert mx.summarise_expression(slides(2, verdicts=None), genes="all").origin.trusted == "all"
    with pytest.raises(InputError, match=r"a gene called predictable expected .* 12 doubtful"):
        mx.summarise_expression(slides(1, verdicts=("doubtful",) * 12))
    with pytest.raises(InputError, match="ranges of the training spots"):
        mx.summarise_expression(slides(1, ranges=False), gene_sets=SETS)
    with pytest.raises(InputError, match="a pathway with 5 genes that count expected, found 1"):
        mx.summarise_expression(slides(1), gene_sets={"none": ("G1", "X")})
    with pytest.raises(InputError, match="found another of 'S0'"):
        mx.summarise_expression([*slides(1), *slides(1)])
    with pytest.raises(InputError, match="did you mean 'all'"):
        mx.summarise_expression(slides(1), genes="al")
    with pytest.raises(InputError, match="found none: give files"):
        mx.summarise_expression([])
    with pytest.raises(InputError, match="in the folder"):
        mx.summarise_expression(tmp_path)
    with pytest.raises(InputError, match="the prediction of one slide expected"):
        mx.summarise_expression(ad.concat(slides(2), merge="same", uns_merge="first"))


def test_the_table_remembers_by_whom_it_was_made(folder, tmp_path):
    out = tmp_path / "expression.parquet"
    summary = mx.summarise_expression(folder, gene_sets=SETS, out=out)
    beside = tmp_path / "expression.pathways.parquet"
    assert read_origin(out) == read_origin(beside) == summary.origin
    assert read_about(out)["n_tiles"] == {"S0": 5, "S1": 6, "S2": 7, "S3": 8}
    assert read_about(beside)["carried_by"]["nearly"] == ["G4", "G5", "G6"]
    assert pq.read_table(out).to_pandas().columns[0] == "slide"
    with pytest.raises(InputError, match=r"the table of expression cannot be written, .* already exists"):
        mx.summarise_expression(folder, out=out)
    with pytest.raises(InputError, match=r"write other.parquet"):
        mx.summarise_expression(folder, out=tmp_path / "other.csv")


@pytest.fixture
def made(tmp_path):
    """A cohort, and its expression as a model of patients p and q predicts it."""
    table = made_table(60)
    out = tmp_path / "expression.parquet"
    mx.summarise_expression(slides(60, names=list(table["patient"])), gene_sets=SETS, out=out)
    return table, out


def config(table, out, tmp_path, **more):
    beside = {"expression": str(out), "pathways": str(out.with_suffix(".pathways.parquet"))}
    return mx.read_cohort(written(table, tmp_path), outcome=OUTCOME, **beside, **more)


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_learnt_from_the_cohorts_patients_is_refused(made, tmp_path):
    table, out = made
    assert len(learnable(config(table, out, tmp_path))) == 60
    table.loc[3, "patient"] = "Q"
    seen = config(table, out, tmp_path)
    assert seen.origin.seen(seen.slides) == ("Q",)
    with pytest.raises(InputError, match=r"learnt from none of the patients .* found 1 of 60 .*\(Q\)"):
        mx.fit_outcome(seen, "clinical")
    without = seen.subset([name for name in seen.patients.ids if name != "Q"])
    assert len(learnable(without)) == 59
    allowed = config(table, out, tmp_path, allow_overlap=True)
    assert mx.fit_outcome(allowed, "clinical").is_fitted
    assert any("learnt from 1 of 60 patients" in note for note in allowed.notes)


@pytest.mark.filterwarnings("ignore")
def test_a_slide_that_the_model_learnt_from_is_its_patient(made, tmp_path):
    table, out = made
    names = table["patient"].where(table.index != 7, "B")
    seen = config(table.assign(slide=names), out, tmp_path)
    assert seen.origin.seen(seen.slides) == ("P007",)


def test_that_predicted_expression_is_the_image_again_is_said(made, tmp_path):
    table, out = made
    cohort = read_cohort(CohortConfig(path=str(written(table, tmp_path)), expression=str(out)))
    assert "a reading of the same image, no second source" in check_cohort(cohort)[0]


def test_whom_nobody_knows_cannot_be_compared():
    known = {"model": "m", "method": "ridge", "scale": "log", "sections": ("A",)}
    known |= {"trusted": "all", "n_genes": 1, "n_predicted": 1}
    origin = Origin(patients=("unknown",), **known)
    assert not origin.is_known
    assert origin.seen({"unknown": ()}) == ()
    assert person("TCGA-AB-1234-01A") == person("tcga-ab-1234")
    assert Origin(patients=("TCGA-AB-1234",), **known).seen({"TCGA-AB-1234-01A": ()})


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_patients_is_asked_with_expression_of_the_same_origin(made, tmp_path):
    table, out = made
    model = mx.fit_outcome(config(table, out, tmp_path), "pathway_scores")
    assert len(mx.predict_outcome(model, config(table, out, tmp_path))) == 60
    other = tmp_path / "other.parquet"
    mx.summarise_expression(slides(60, names=list(table["patient"]), method="pls"), gene_sets=SETS, out=other)
    with pytest.raises(InputError, match=r"learnt from \(predicted .* by ridge .* found predicted by another"):
        mx.predict_outcome(model, config(table, other, tmp_path))
    with pytest.raises(InputError, match="pathways of each patient expected for pathway_scores, found none of all"):
        mx.predict_outcome(model, mx.read_cohort(written(table, tmp_path)))
    with pytest.raises(InputError, match="genes and pathways predicted by one model expected"):
        mx.read_cohort(
            written(table, tmp_path), expression=str(other), pathways=str(out.with_suffix(".pathways.parquet"))
        )


@pytest.mark.filterwarnings("ignore")
def test_whom_the_model_behind_it_learnt_from_is_said_when_it_is_asked(made, tmp_path):
    table, out = made
    model = mx.fit_outcome(config(table, out, tmp_path), "pathway_scores")
    seen = table.assign(slide=table["patient"].where(table.index != 7, "B"))
    with pytest.warns(UserWarning, match=r"predicted the expression learnt from 1 of 60 patients \(P007\)"):
        mx.predict_outcome(model, config(seen, out, tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_what_the_next_one_reads(said, tmp_path):
    table = made_table(20)
    place = tmp_path / "predictions"
    for one in slides(20, names=list(table["patient"])):
        write_prediction(one, place / f"{one.uns['mclstexp']['slide']}.h5ad")
    (tmp_path / "sets.gmt").write_text("\n".join("\t".join((name, "-", *of)) for name, of in SETS.items()))
    path, out = written(table, tmp_path), tmp_path / "expression.parquet"
    code, text, _ = said(
        "cohort", "expression", place, "--out", out, "--table", path, "--gene-sets", tmp_path / "sets.gmt"
    )
    assert code == 0
    assert "2 of 3 pathways have fewer than five genes and no score" in text
    assert "20 patients" in " ".join(text.split())
    beside = ("--expression", out, "--pathways", tmp_path / "expression.pathways.parquet")
    code, _, err = said("cohort", "check", path, "--outcome", OUTCOME, *beside)
    assert code == 0
    assert "a reading of the same image" in " ".join(err.split())
    table.loc[0, "patient"] = "p"
    fit = ("cohort", "fit", written(table, tmp_path), "--outcome", OUTCOME, *beside, "--out", tmp_path / "model")
    code, _, err = said(*fit)
    assert code == 2
    assert "or give --allow-overlap" in " ".join(err.split())
    code, _, _ = said(*fit, "--allow-overlap")
    assert code == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_comparison_refuses_seen_patients_and_says_that_expression_was_predicted(made, tmp_path):
    table, out = made
    beside = {"pathways": str(out.with_suffix(".pathways.parquet")), "outcome": OUTCOME}
    models, folds = ["pathway_scores"], Division(by="patient", n_folds=2)
    seen = CohortConfig(path=str(written(table.replace({"patient": {"P003": "P"}}), tmp_path, "seen.csv")), **beside)
    with pytest.raises(InputError, match="expression predicted by a model that learnt from none"):
        mx.evaluate_outcome(seen, out=tmp_path / "refused", models=models, folds=folds)
    assert not (tmp_path / "refused").exists()
    config = CohortConfig(path=str(written(table, tmp_path)), **beside)
    notes = []
    results = tmp_path / "results"
    mx.evaluate_outcome(config, out=results, models=models, folds=folds, on_warning=notes.append)
    assert any("a reading of the same image" in note for note in notes)
    assert "a reading of the same image" in (results / "summary.md").read_text(encoding="utf-8")
    record = json.loads((results / "experiment.json").read_text(encoding="utf-8"))
    assert record["cohort"]["expression"]["patients"] == ["p", "q"]
