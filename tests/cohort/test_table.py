"""Cohorts read from tables: what is read, what is said of them, and what is refused in a sentence."""

import gzip

import numpy as np
import pandas as pd
import pytest

from made_cohort import made_table, written
from mclstexp.cohort.checks import check_cohort, overview
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.table import read_cohort
from mclstexp.core.errors import InputError

OUTCOME = "os:os_days,os_event"


def read(path, **more):
    return read_cohort(CohortConfig(path=str(path), **{"outcome": OUTCOME, **more}))


def test_a_table_becomes_patients_and_what_became_of_them(tmp_path):
    table = made_table()
    cohort = read(written(table, tmp_path))
    assert cohort.patients.ids == tuple(table["patient"])
    assert cohort.patients.sites == tuple(table["site"])
    assert list(cohort.patients.covariates) == ["age", "sex", "stage"]
    np.testing.assert_allclose(cohort.outcomes.time, table["os_days"] / 30.4375)
    assert (cohort.outcomes.event == table["os_event"].astype(bool)).all()
    assert cohort.slides["P003"] == ("P003",)
    assert check_cohort(cohort) == []
    assert overview(cohort)["events"] == str(table["os_event"].sum())


def test_every_kind_of_file_says_the_same(tmp_path):
    table = made_table(30)
    paths = [tmp_path / name for name in ("c.csv", "c.tsv", "c.csv.gz", "c.parquet")]
    table.to_csv(paths[0], index=False)
    table.to_csv(paths[1], index=False, sep="\t")
    paths[2].write_bytes(gzip.compress(b"\xef\xbb\xbf" + paths[0].read_bytes().replace(b"\n", b"\r\n")))
    table.astype({"age": float, "os_event": bool}).to_parquet(paths[3])
    first, *others = (read(path) for path in paths)
    for other in others:
        assert other.patients.ids == first.patients.ids
        pd.testing.assert_frame_equal(other.patients.covariates, first.patients.covariates)
        np.testing.assert_array_equal(other.outcomes.time, first.outcomes.time)
        np.testing.assert_array_equal(other.outcomes.event, first.outcomes.event)


def test_months_and_years_are_units_too(tmp_path):
    table = made_table(30)
    days = read(written(table, tmp_path)).outcomes.time
    for unit, per in (("months", 30.4375), ("years", 365.25)):
        path = written(table.assign(os=table["os_days"] / per), tmp_path, f"{unit}.csv")
        np.testing.assert_allclose(read(path, unit=unit, outcome="os:os,os_event").outcomes.time, days)


def test_slides_are_gathered_by_patient(tmp_path):
    table = made_table(20)
    twice = pd.concat([table.assign(slide=table["patient"] + "-A"), table.assign(slide=table["patient"] + "-B")[:5]])
    cohort = read(written(twice, tmp_path))
    assert len(cohort) == 20
    assert cohort.slides["P001"] == ("P001-A", "P001-B")
    assert cohort.slides["P019"] == ("P019-A",)
    assert cohort.subset(["P019", "P001"]).slides == {"P019": ("P019-A",), "P001": ("P001-A", "P001-B")}


def test_stages_are_ordered_however_they_are_written(tmp_path):
    table = made_table(30)
    words = (
        table["stage"]
        .map({1: "Stage IA", 2: "stage II", 3: "IIIC", 4: "4"})
        .where(np.arange(30) > 1, "[Not Available]")
    )
    cohort = read(written(table.assign(stage=words), tmp_path))
    known = np.where(np.arange(30) > 1, table["stage"], np.nan)
    np.testing.assert_array_equal(cohort.patients.covariates["stage"], known)
    assert "covariate 'stage' is missing for" in " ".join(check_cohort(cohort))


def test_grades_are_ordered_too(tmp_path):
    table = made_table(30)
    words = table["stage"].map({1: "G1", 2: "grade 2", 3: "G3", 4: "GX"})
    read_as = read(written(table.assign(grade=words), tmp_path), covariates=("grade",)).patients.covariates["grade"]
    np.testing.assert_array_equal(read_as, table["stage"].replace(4, np.nan))
    words = table["stage"].map({1: "Low Grade", 2: "High Grade", 3: "Low Grade", 4: "High Grade"})
    kept = read(written(table.assign(grade=words), tmp_path), covariates=("grade",)).patients.covariates["grade"]
    assert list(kept) == list(words)


def test_other_outcomes_than_survival(tmp_path):
    table = made_table(30).assign(responded=["yes", "no"] * 15, ki67=np.linspace(0, 90.5, 30))
    path = written(table, tmp_path)
    yes = read(path, outcome="response:responded")
    assert yes.outcomes.kind == "binary"
    assert yes.outcomes.value.sum() == 15
    number = read(path, outcome="ki67")
    assert number.outcomes.kind == "continuous"
    assert number.outcome.name == "ki67"
    assert read(path, outcome="").outcomes is None


def test_rows_are_chosen_and_what_is_unknown_is_left_out_aloud(tmp_path):
    table = made_table(40).assign(cohort=["A", "B"] * 20).astype({"os_days": object})
    table.loc[[0, 2], "os_days"] = ""
    table.loc[4, "site"] = "NA"
    cohort = read(written(table, tmp_path), where={"cohort": "A"})
    assert len(cohort) == 18
    said = check_cohort(cohort)
    assert "2 of 20 patients have no os_days or no os_event and are left out" in said
    assert "1 patients have no site: they count as one site of their own" in said


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        ({"os_days": (3, 0)}, {}, "follow-up above 0 expected in column 'os_days' of .*, found '0' of 'P003' in row 5: "
        "correct it, or take 0 for half a day with zero_time=\"half_day\""),
        ({"os_days": (3, -4)}, {"zero_time": "half_day"}, "found '-4' of 'P003' in row 5: correct it"),
        ({"os_days": (3, "inf")}, {}, "numbers expected in column 'os_days' of .*, found 'inf' in row 5"),
        ({"os_days": (3, "long")}, {}, "numbers expected in column 'os_days' of .*, found 'long' in row 5"),
        ({"os_event": (3, 2)}, {}, r"1 \(it came\) or 0 expected in column 'os_event' of .*, found '2' in row 5"),
        ({"os_event": (3, "1:DECEASED")}, {}, "found '1:DECEASED' in row 5"),
        ({"age": (3, "old")}, {}, "numbers expected in column 'age' of .*, found 'old' in row 5"),
        ({"sex": (3, "1")}, {}, "either numbers or categories expected in column 'sex' of .*, found '1' in row 5"),
        ({"patient": (3, "")}, {}, "a patient's name in each row of .* expected, found none in row 5"),
        ({"patient": (3, "P002")}, {}, "one '.*' of each patient expected in .*, found .* in row 4 and .* in row 5"),
        ({}, {"patient": "patiant"}, "a column 'patiant' .* expected in .*, found none: did you mean 'patient'?"),
        ({}, {"outcome": "os:os_day,os_event"}, "found none: did you mean 'os_days'?"),
        ({}, {"outcome": "os_days,os_event"}, "a name before the columns of an outcome expected"),
        ({}, {"outcome": "os:a,b,c"}, "an outcome written NAME:TIME,EVENT or NAME:COLUMN expected"),
        ({}, {"covariates": ("age", "stages")}, "found none: did you mean 'stage'?"),
        ({}, {"covariates": ("age", "os_event")}, "covariates other than the outcome expected, found 'os_event'"),
        ({}, {"covariates": ("patient",)}, "at most 20 categories expected in column 'patient'"),
        ({}, {"site": "hospital"}, r"a column 'hospital' \(the sites\) expected"),
        ({}, {"fold": "folds"}, r"a column 'folds' \(the folds\) expected"),
        ({}, {"where": {"sex": "X"}}, "rows with sex = 'X' expected in .*, found none"),
        ({}, {"slide": "sex"}, "each slide of .* with one patient expected, found '[FM]' with 'P000' and 'P00"),
        ({}, {"path": ""}, "a table of patients expected, found none named"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_a_sentence(tmp_path, change, more, said):
    table = made_table(30).astype(object)
    for column, (row, value) in change.items():
        table.loc[row, column] = value
    with pytest.raises(InputError, match=said):
        read(more.pop("path", written(table, tmp_path)), **more)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("patient,os_days\nA,1\nB\n", "2 cells in each row of .* expected, found 1 in row 3"),
        ("patient,os_days,os_days\nA,1,2\n", "each column of .* once expected, found 'os_days' twice"),
        ("patient,,os_days\nA,1,2\n", "a name over each column of .* expected, found none over column 2"),
        ("patient,os_days\n", "found no row"),
        ("patient;os_days\nA;1\n", "found columns separated by semicolons: save it with commas"),
        ("", "expected in"),
        ('patient,os_days\n"A,1\n', "damaged or of another kind"),
        ("patient,os_days\n\xff,1\n", "text in another encoding, or another kind of file: save it as UTF-8"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, content, said):
    path = tmp_path / "cohort.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        read(path)


@pytest.mark.parametrize("name", ["cohort.xlsx", "absent.csv", "absent.parquet"])
def test_files_that_are_no_tables_are_refused(tmp_path, name):
    if name.startswith("cohort"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(InputError, match=r"a table of patients \(.csv, .tsv or .parquet\) expected"):
        read(tmp_path / name)


def test_half_a_day_is_taken_where_it_is_asked_for(tmp_path):
    table = made_table(30)
    table.loc[3, "os_days"] = 0
    cohort = read(written(table, tmp_path), zero_time="half_day")
    assert cohort.outcomes.time[3] == pytest.approx(0.5 / 30.4375)


def test_rows_that_repeat_count_once_aloud(tmp_path):
    table = made_table(30)
    cohort = read(written(pd.concat([table, table[:2]]), tmp_path))
    assert len(cohort) == 30
    assert "2 rows repeat a patient that stands there already: each counts once" in cohort.notes


def test_what_a_cohort_lacks_is_said(tmp_path):
    table = made_table(60, n_sites=3)
    table = table.assign(tumor_status=table["os_event"], late=-table["os_days"], same=1).drop(columns="stage")
    table.loc[1, "patient"] = "p000"
    names = ("age", "tumor_status", "late", "same")
    said = " | ".join(check_cohort(read(written(table, tmp_path), covariates=names)))
    assert "no covariate says the stage" in said
    assert "covariate 'tumor_status' sounds like something known only after the diagnosis" in said
    assert "covariate 'late' alone ranks the patients almost as the outcome does (C = 1.00)" in said
    assert "covariate 'same' is the same for all patients" in said
    assert "3 sites, the largest with 20 of 60 patients" in said
    assert "1 patients may stand there under two names, as 'P000' and 'p000'" in said
    assert "fewer than 40 hardly tell models apart" in said
    assert "no column says where patients were treated" in " ".join(
        check_cohort(read(written(made_table(60).drop(columns="site"), tmp_path)))
    )
    assert "no covariates: without age, sex and stage" in " ".join(
        check_cohort(read(written(made_table(60), tmp_path), covariates=()))
    )


@pytest.mark.parametrize("name", ["os_time", "DSS", "new_tumor_event", "treatment_response", "days_to_death", "vital"])
def test_names_that_give_the_answer_away(tmp_path, name):
    table = made_table(60).assign(**{name: np.arange(60) % 7})
    said = check_cohort(read(written(table, tmp_path), covariates=("age", "stage", name)))
    assert f"covariate {name!r} sounds like something known only after the diagnosis" in " ".join(said)


@pytest.mark.parametrize("name", ["age_years", "dose", "cosmic_signature", "pathologic_stage", "er_status", "her2"])
def test_names_that_do_not(tmp_path, name):
    table = made_table(60).assign(**{name: np.arange(60) % 3 + 1})
    assert "sounds like" not in " ".join(check_cohort(read(written(table, tmp_path), covariates=("stage", name))))


def test_expression_pathways_and_features_lie_beside(tmp_path):
    table, rng = made_table(12), np.random.default_rng(0)
    path = written(table, tmp_path)
    genes = pd.DataFrame(rng.normal(size=(11, 8)), columns=[f"G{k}" for k in range(8)])
    genes.insert(0, "patient", table["patient"][::-1][:11].to_list())
    genes.to_parquet(tmp_path / "genes.parquet")
    (tmp_path / "sets.gmt").write_text("A\tx\tG0\tG1\tG2\tG3\tG4\tG99\nB\tx\tG5\tG6\n")
    features = tmp_path / "features"
    features.mkdir()
    for k, name in enumerate(table["patient"][:10]):
        np.save(features / f"{name}.npy", rng.normal(size=(5 + k, 3)).astype(np.float32))
    cohort = read(
        path,
        expression=str(tmp_path / "genes.parquet"),
        gene_sets=str(tmp_path / "sets.gmt"),
        features=str(features),
    )
    patients = cohort.patients
    assert list(patients.pathways) == ["A"]
    assert patients.gene_sets["A"] == ("G0", "G1", "G2", "G3", "G4")
    expected = genes.set_index("patient").loc["P005", ["G0", "G1", "G2", "G3", "G4"]].mean()
    assert patients.pathways.loc["P005", "A"] == pytest.approx(expected)
    assert patients.without("genes") == ["P000"]
    assert patients.bags[3].n_tiles == 8
    assert patients.bags[11] is None
    said = check_cohort(cohort)
    assert "1 of 12 patients have no expression" in said
    assert "1 of 2 gene sets have too few genes in the table of expression: left out" in said
    assert "2 slides have no features, 2 of 12 patients none at all" in said
    genes.to_csv(tmp_path / "genes.csv", index=False)
    again = read(path, expression=str(tmp_path / "genes.csv"))
    np.testing.assert_allclose(again.patients.genes, patients.genes)


@pytest.mark.parametrize(
    ("named", "content", "said"),
    [
        ("expression", "patient,G0\nQ1,1\n", "expression of the patients expected in .*, found other names, as 'Q1'"),
        ("expression", "patient,G0\nP000,1\nP000,2\n", "expression of each patient once expected in .*, found 'P000'"),
        ("expression", "patient,G0\nP000,low\n", "numbers expected in column 'G0' of .*, found 'low' in row 2"),
        ("pathways", "G0,G1\n1,2\n", "a column 'patient' with the patients' names expected|other names"),
        ("gene_sets", "A\tx\tG0\n", "a table of expression beside gene_sets expected"),
        ("features", "x", "a folder with features of each slide expected"),
    ],
)
def test_what_lies_beside_is_refused_in_a_sentence(tmp_path, named, content, said):
    path = written(made_table(12), tmp_path)
    (tmp_path / "beside.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        read(path, **{named: str(tmp_path / "beside.csv")})


def test_files_of_features_stream_and_are_checked(tmp_path):
    import h5py
    from safetensors.numpy import save_file

    from mclstexp.cohort.feature_files import FileBag, feature_files

    values = np.random.default_rng(0).normal(size=(9000, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    save_file({"features": values}, tmp_path / "b.safetensors")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["features"] = values
    files = feature_files(tmp_path)
    assert sorted(files) == ["a", "b", "c"]
    for path in files.values():
        bag = FileBag([path])
        assert (bag.n_tiles, bag.dim) == (9000, 4)
        np.testing.assert_array_equal(np.concatenate(list(bag.chunks())), values)
        np.testing.assert_array_equal(bag.take([8999, 3]), values[[8999, 3]])
    two = FileBag([files["a"], files["b"]])
    assert two.n_tiles == 18000
    for numbers in ([17999, 5, 9000], np.arange(0, 18000, 5)):  # few, and many
        np.testing.assert_array_equal(two.take(numbers), np.vstack([values, values])[numbers])
    np.save(tmp_path / "d.npy", values[:, :3])
    with pytest.raises(InputError, match="features of one width for all slides of a patient expected"):
        FileBag([tmp_path / "a.npy", tmp_path / "d.npy"])
    np.save(tmp_path / "e.npy", np.where(np.arange(4) == 2, np.nan, values))
    with pytest.raises(InputError, match="finite features expected"):
        list(FileBag([tmp_path / "e.npy"]).chunks())
    np.save(tmp_path / "f.npy", values[0])
    with pytest.raises(InputError, match="features of a slide's tiles"):
        FileBag([tmp_path / "f.npy"])
    np.save(tmp_path / "c.npy", values)
    with pytest.raises(InputError, match="one file for each slide expected"):
        feature_files(tmp_path)
