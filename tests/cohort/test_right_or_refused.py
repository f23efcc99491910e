"""What would be wrong without a word in a cohort: units, contrary events, another encoder, far-off values."""

import shutil
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from made_cohort import made_table, written
from mclstexp.api.cohort import fit_outcome, predict_outcome
from mclstexp.cohort.checks import check_cohort
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.table import read_cohort
from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import FEATURES
from mclstexp.io.outcome_models import load_outcome_model, save_outcome_model

OUTCOME = "os:os_days,os_event"


def config(path, **more):
    return CohortConfig(path=str(path), **{"outcome": OUTCOME, **more})


def features(folder, ids, **made):
    folder.mkdir()
    rng = np.random.default_rng(0)
    about = {"encoder": "small", "mpp": "0.5", "size_px": "224", **made}
    for name in ids:
        save_file({"features": rng.normal(size=(9, 4)).astype(np.float32)}, folder / f"{name}.safetensors", about)
    return folder


@pytest.mark.parametrize(
    ("column", "unit", "said"),
    [("OS_MONTHS", "days", "months"), ("survivalYears", "days", "years"), ("os_days", "months", "days")],
)
def test_a_unit_that_the_column_contradicts_is_refused(tmp_path, column, unit, said):
    path = written(made_table().rename(columns={"os_days": column}), tmp_path)
    with through("command"), pytest.raises(InputError, match=f"found {said} by its name: give --unit {said}"):
        read_cohort(config(path, outcome=f"os:{column},os_event", unit=unit))
    assert read_cohort(config(path, outcome=f"os:{column},os_event", unit=said))


def test_follow_up_too_short_or_long_for_its_unit_is_pointed_at(tmp_path):
    for scale, found in ((1 / 365.25, "months"), (40, "years")):
        table = made_table().rename(columns={"os_days": "os"})
        path = written(table.assign(os=table["os"] * scale), tmp_path)
        notes = check_cohort(read_cohort(config(path, outcome="os:os,os_event")))
        assert any(f"{found}: if it is in another unit, say so with unit=" in note for note in notes)


@pytest.mark.parametrize("column", ["censorship", "OS.censored", "alive", "is_living"])
def test_an_event_that_is_the_contrary_by_its_name_is_refused(tmp_path, column):
    path = written(made_table().rename(columns={"os_event": column}), tmp_path)
    with pytest.raises(InputError, match="add a column of the contrary, or rename it if 1 is the event"):
        read_cohort(config(path, outcome=f"os:os_days,{column}"))


@pytest.mark.parametrize(("no", "yes"), [(1, 2), ("NR", "R"), (-1, 1)])
def test_two_answers_are_no_numbers(tmp_path, no, yes):
    table = made_table()
    path = written(table.assign(answer=np.where(table["os_event"] == 1, yes, no)), tmp_path)
    with pytest.raises(InputError, match="write 1 for yes and 0 for no"):
        read_cohort(config(path, outcome="answer:answer"))


def test_codes_that_begin_like_a_stage_are_no_stage(tmp_path):
    table = made_table()
    told = read_cohort(config(written(table.assign(stage=table["stage"] + 20), tmp_path))).patients.covariates["stage"]
    np.testing.assert_array_equal(told, table["stage"] + 20)
    names = {1: "Stage IA", 2: "IIB1", 3: "iiic2", 4: "4b"}
    told = read_cohort(config(written(table.assign(stage=table["stage"].map(names)), tmp_path))).patients.covariates
    np.testing.assert_array_equal(told["stage"], table["stage"])


def test_what_stands_for_not_known_is_pointed_at(tmp_path):
    table = made_table()
    table.loc[7, "age"] = -9999
    notes = check_cohort(read_cohort(config(written(table, tmp_path))))
    assert notes == [
        "covariate 'age' lies far from the others for 1 patients, as -9999 where "
        f"{table['age'].median():g} is usual: leave the cell empty if it stands for not known"
    ]


def test_old_line_ends_are_read_and_other_encodings_named(tmp_path):
    path = written(made_table(), tmp_path)
    known, text = read_cohort(config(path)).patients, path.read_bytes()
    path.write_bytes(text.replace(b"\n", b"\r"))
    pd.testing.assert_frame_equal(read_cohort(config(path)).patients.covariates, known.covariates)
    for encoded in (text.decode().encode("utf-16"), text.replace(b"S01", "Süd".encode("cp1252"))):
        path.write_bytes(encoded)
        with pytest.raises(InputError, match="save it as UTF-8"):
            read_cohort(config(path))


@pytest.mark.parametrize("made", [{"encoder": "other"}, {"mpp": "1"}, {"size_px": "256"}])
def test_features_of_another_encoder_or_scale_are_refused(tmp_path, made):
    table = made_table()
    path, ids = written(table, tmp_path), list(table["patient"])
    known, others = features(tmp_path / "known", ids), features(tmp_path / "others", ids, **made)
    model = fit_outcome(config(path, features=str(known)), "mean_features", on_warning=lambda _: None)
    assert model.provenance_[FEATURES] == [{"encoder": "small", "mpp": "0.5", "size_px": "224"}]
    save_outcome_model(model, tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = predict_outcome(model, config(path, features=str(known)))
        again = predict_outcome(load_outcome_model(tmp_path / "model"), config(path, features=str(known)))
        pd.testing.assert_frame_equal(first, again)
        with pytest.raises(InputError, match=r"as this mean_features learnt from .* embed alike"):
            predict_outcome(load_outcome_model(tmp_path / "model"), config(path, features=str(others)))
    shutil.copy(others / f"{ids[3]}.safetensors", known / f"{ids[3]}.safetensors")
    with pytest.raises(InputError, match=f"of {ids[3]}: embed all slides alike"):
        read_cohort(config(path, features=str(known)))


def test_features_that_are_no_real_numbers_are_refused(tmp_path):
    table = made_table()
    path, folder = written(table, tmp_path), tmp_path / "features"
    for wrong in (np.ones((3, 4), complex), np.full((3, 4), "1.5"), np.ones((3, 4), bool)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in table["patient"]:
            np.save(folder / f"{name}.npy", wrong)
        with pytest.raises(InputError, match="real numbers expected"):
            read_cohort(config(path, features=str(folder)))


def test_patients_unlike_those_learnt_from_are_pointed_at(tmp_path):
    table = made_table()
    model = fit_outcome(config(written(table, tmp_path)), "clinical", on_warning=lambda _: None)
    new = table.assign(patient="N" + table["patient"])

    def said(changed, **how):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            predict_outcome(model, config(written(changed, tmp_path, "new.csv"), outcome=""), **how)
        return [str(one.message) for one in caught]

    assert said(new) == []
    (note,) = said(new.assign(age=new["age"] * 365))
    assert note.startswith(
        "covariate 'age' lies far from what the model learnt from (40 to 84) for 120 of 120 patients"
    )
    assert any("'stage' is not known of any patient" in note for note in said(new.assign(stage="")))
    assert any("what comes after is not known" in note for note in said(new, at_months=[12, 1200]))
    with pytest.raises(InputError, match="times above 0"):
        predict_outcome(model, config(tmp_path / "new.csv", outcome=""), at_months=[np.inf])
    assert list(predict_outcome(model, config(tmp_path / "new.csv", outcome=""), at_months=[12, 12.0])) == [
        "patient",
        "risk",
        "group",
        "survival_12",
    ]


def expressed(folder, table, name="expression.csv", change=lambda values: values):
    rng = np.random.default_rng(0)
    genes = [f"G{number}" for number in range(24)]
    values = pd.DataFrame(change(rng.normal(5, 1, (len(table), 24))), columns=genes)
    values.insert(0, "patient", table["patient"])
    return written(values, folder, name)


def sets_of(folder, *, start=0):
    path = folder / f"sets{start}.gmt"
    names = [f"G{number}" for number in range(24)]
    rows = [["A", "-", *names[start : start + 10]], ["B", "-", *names[10 + start : 20 + start]]]
    path.write_text("\n".join("\t".join(row) for row in rows))
    return path


def test_expression_on_another_scale_and_of_other_genes_is_pointed_at(tmp_path):
    table = made_table()
    path, log, sets = written(table, tmp_path), expressed(tmp_path, table), sets_of(tmp_path)
    model = fit_outcome(
        config(path, expression=str(log), gene_sets=str(sets)), "pathway_scores", on_warning=lambda _: None
    )
    save_outcome_model(model, tmp_path / "model")

    def said(expression, gene_sets):
        beside = {"expression": str(expression), "gene_sets": str(gene_sets)}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            predict_outcome(load_outcome_model(tmp_path / "model"), config(path, outcome="", **beside))
        return [text for one in caught if "no forecast" not in (text := str(one.message))]

    assert said(log, sets) == []
    (scale,) = said(expressed(tmp_path, table, "raw.csv", lambda values: 100 * 2**values), sets)
    assert scale.startswith("100% of pathway scores lie far from what the model learnt from")
    (other,) = said(log, sets_of(tmp_path, start=3))
    assert other.startswith("2 of 2 pathways are scored by other genes than the model learnt from (A, B)")


def test_a_set_or_a_gene_that_stands_twice_is_refused(tmp_path):
    table = made_table()
    path, log, sets = written(table, tmp_path), expressed(tmp_path, table), sets_of(tmp_path)
    sets.write_text(sets.read_text().replace("B\t", "A\t"))
    with pytest.raises(InputError, match=r"each set once expected in .*, found 'A' twice"):
        read_cohort(config(path, expression=str(log), gene_sets=str(sets)))
    twice = pa.table(
        [pa.array(table["patient"]), pa.array(table["age"]), pa.array(table["age"])], ["patient", "G", "G"]
    )
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(InputError, match=r"each column of .* once expected, found 'G' twice"):
        read_cohort(config(path, expression=str(tmp_path / "twice.parquet")))


def test_a_seed_below_zero_is_refused(tmp_path, said):
    path = written(made_table(), tmp_path)
    words = ("cohort", "evaluate", path, "--outcome", OUTCOME, "--out", tmp_path / "results")
    code, _, errors = said(*words, "--seed", "-1")
    assert (code, errors) == (2, "mclstexp: a seed of 0 or more expected for --seed, found -1\n")
    code, _, errors = said("cohort", "fit", path, "--outcome", OUTCOME, "--out", tmp_path / "m", "--option", "seed=-1")
    assert code == 2
    assert "a seed of 0 or more expected, found -1" in errors
    assert [one.name for one in tmp_path.iterdir()] == ["cohort.csv"]
