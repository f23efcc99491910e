"""A cohort from files to a table: the causal marker, its inflation, and the command that says so."""

import numpy as np
import pandas as pd
import pytest
from made_plink import made_calls, write_plink

from mclstexp.core.errors import InputError
from mclstexp_genomics.cli import run
from mclstexp_genomics.gwas import GwasOptions, associate
from mclstexp_genomics.plink import open_plink
from mclstexp_genomics.scan import Scanner
from mclstexp_genomics.tables import read_names, read_people

pytestmark = pytest.mark.filterwarnings("ignore:.*people of the genotypes are not in every table")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder, calls = tmp_path_factory.mktemp("cohort"), made_calls(200, 30)
    rng = np.random.default_rng(1)
    age = rng.normal(60, 10, 200)
    height = 2 * np.nan_to_num(calls[:, 7], nan=0) + age / 10 + rng.normal(size=200)
    people = [f"p{i}" for i in range(200)]
    table = pd.DataFrame({"height": height, "luck": rng.normal(size=200)}, index=pd.Index(people, name="person"))
    table.loc["p3", "height"] = np.nan
    table[::-1].to_csv(folder / "traits.tsv", sep="\t", na_rep="NA")
    pd.DataFrame({"age": age}, index=table.index).iloc[:190].to_csv(folder / "covariates.tsv", sep="\t")
    write_plink(folder / "c", calls)
    return folder


def found(cohort, **options):
    tables = [read_people(cohort / f"{name}.tsv") for name in ("traits", "covariates")]
    return associate(open_plink(cohort / "c"), *tables, options=GwasOptions(**options))


def test_the_causal_marker_is_the_one_locus(cohort):
    association = found(cohort)
    assert association.n_people == 189, "who is not in every table is left out"
    (locus,) = association.loci["height"].itertuples()
    assert (locus.marker, locus.chromosome, locus.n_markers) == (7, "1", 1)
    assert len(association.loci["luck"]) == 0
    row = association.table.query("trait == 'height'").sort_values("p").iloc[0]
    assert (row["marker"], row["n"]) == ("rs7", 189)
    assert row["beta"] == pytest.approx(2, abs=0.5)
    assert row["q"] < 1e-6


def test_people_are_matched_by_name_and_not_by_order(cohort):
    table = found(cohort).table.query("trait == 'height'")
    traits, covariates = (read_people(cohort / f"{name}.tsv") for name in ("traits", "covariates"))
    rows = [i for i in range(190) if i != 3]
    names = [f"p{i}" for i in rows]
    alone = Scanner(traits.loc[names, ["height"]].to_numpy(), covariates.loc[names].to_numpy())
    np.testing.assert_allclose(table["p"], alone(open_plink(cohort / "c").read()[rows]).p[:, 0], rtol=1e-9)


def test_permutation_and_components_add_their_columns(cohort):
    association = found(cohort, permutations=19, components=2)
    assert association.table["p_family"].min() == pytest.approx(1 / 20)
    assert {"p_family<0.05", "lambda"} <= set(association.summary.columns)


@pytest.mark.parametrize("option", ["components", "permutations", "seed"])
def test_impossible_options_are_refused(option):
    with pytest.raises(InputError, match=f"{option} of 0 or more expected, found -1"):
        GwasOptions(**{option: -1})


def test_whom_traits_were_learnt_from_is_refused(cohort):
    with pytest.raises(InputError, match="test on others"):
        associate(open_plink(cohort / "c"), read_people(cohort / "traits.tsv"), learnt_from=["p5"])


def test_the_command_prints_a_summary_and_writes_the_table(cohort, tmp_path, capsys):
    out = tmp_path / "association.tsv.gz"
    words = [
        "gwas",
        cohort / "c.bed",
        "--traits",
        cohort / "traits.tsv",
        "--out",
        out,
        "--permutations",
        "9",
        "--quiet",
    ]
    assert run([*map(str, words), "--covariates", str(cohort / "covariates.tsv")]) == 0
    said = capsys.readouterr().out
    assert "189 people, 30 markers" in said
    assert "the smallest p that 9 permutations can give is 0.1" in said
    assert max(map(len, said.splitlines())) <= max(80, len(str(out)))
    written = pd.read_csv(out, sep="\t")
    assert len(written) == 60
    assert written.loc[written["p"].idxmin(), "marker"] == "rs7"
    assert run([*map(str, words)]) == 2
    assert "--overwrite" in capsys.readouterr().err, "what is there is not replaced by mistake"


def test_what_cannot_be_used_ends_with_two(cohort, tmp_path, capsys):
    strangers = tmp_path / "strangers.tsv"
    strangers.write_text("person\theight\nsomebody\t1\n")
    assert run(["gwas", str(cohort / "c"), "--traits", str(strangers), "--out", str(tmp_path / "x.tsv")]) == 2
    assert "people of the genotypes in every table expected, found none" in capsys.readouterr().err
    assert not (tmp_path / "x.tsv").exists()


TABLES = {
    "no numbers": ("person\theight\np1\ttall\n", "numbers expected in column height .* found 'tall'"),
    "infinite": ("person\theight\np1\tinf\n", "numbers expected in column height"),
    "twice": ("person\theight\np1\t1\np1\t2\n", "each person once"),
    "one column": ("person\np1\n", "a column of people and one of numbers"),
    "empty": ("", "a tab-separated table"),
}


@pytest.mark.parametrize(("text", "said"), TABLES.values(), ids=TABLES)
def test_tables_that_are_none_are_refused(tmp_path, text, said):
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_people(tmp_path / "t.tsv")


def written(folder, text, name="people.tsv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\ty\np0\t-9\np1\t3.5\np2\t4\n", "-9 as the only number below 0 of column y.*write NA"),
        ("FID\tIID\ty\n1\t1\t3.5\n2\t2\t4\n", "one column of people expected in .*, found FID and IID"),
        ("id\ty\ty\np0\t1\t2\n", "each column of .* once expected, found y twice"),
        ("id\ty\np0\t1\n".encode("utf-16"), "save it as UTF-8"),
        ("y\np0\t1\np1\t2\n", "a tab-separated table of people expected"),
    ],
)
def test_tables_that_would_be_read_wrong_are_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_people(written(tmp_path, text))


def test_a_number_of_minus_nine_among_others_below_zero_is_a_number(tmp_path):
    text = "\ufeffid\ty\r\np0\t-9\r\np1\t-3.5\r\np2\tNA\r\n"
    np.testing.assert_array_equal(read_people(written(tmp_path, text))["y"], [-9, -3.5, np.nan])


def test_a_mark_before_the_first_name_does_not_hide_who_was_learnt_from(tmp_path, cohort):
    seen = read_names(written(tmp_path, "\ufeffp0\n", "seen.txt"))
    with pytest.raises(InputError, match="found p0"):
        associate(open_plink(cohort / "c"), read_people(cohort / "traits.tsv"), learnt_from=seen)


def test_a_trait_that_is_the_same_for_all_is_refused(cohort):
    traits = read_people(cohort / "traits.tsv").assign(luck=1.1)
    with pytest.raises(InputError, match="found one that does not"):
        associate(open_plink(cohort / "c"), traits)


def test_who_is_left_out_is_said_aloud(cohort):
    with pytest.warns(UserWarning, match="11 of 200 people of the genotypes are not in every table"):
        found(cohort)
    with pytest.raises(InputError, match="no such file: give the name that three files share"):
        open_plink(cohort / "d")
