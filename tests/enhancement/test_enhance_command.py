"""`mclstexp enhance`, as a user types it."""

import numpy as np
import pytest

import st_files as files
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.predictions import read_prediction


@pytest.fixture(scope="module")
def section(tmp_path_factory):
    root = tmp_path_factory.mktemp("enhance")
    files.write_st_folder(root / "r1")
    return root / "r1"


def test_a_finer_section_is_written(section, said, tmp_path):
    out = tmp_path / "fine.h5ad"
    code, text, errors = said("enhance", section, "--out", out)
    assert (code, errors) == (0, "")
    found = read_prediction(out)
    n_spots = int(found.obs["in_section"].sum())
    first, last = text.splitlines()
    assert first == f"{found.n_vars} genes at {n_spots} spots and {found.n_obs - n_spots} places between them"
    assert n_spots < found.n_obs
    assert last == str(out)
    assert found.uns["mclstexp"]["method"] == "kriging"
    assert (found.layers["variance"] >= 0).all()
    assert set(found.obs["section"]) == {"r1"}
    code, _, errors = said("enhance", section, "--out", out)
    assert code == 2
    assert "--overwrite" in errors
    assert said("enhance", section, "--out", out, "--overwrite")[0] == 0
    np.testing.assert_array_equal(read_prediction(out).X, found.X)


def test_factor_genes_method_and_its_options(section, said, tmp_path):
    out = tmp_path / "o.h5ad"
    gene = "--genes", "TP53"
    code, _, errors = said("enhance", section, "--out", out, "--factor", 3, "--method", "nearest", *gene)
    assert code == 2
    assert "TP53" in errors
    words = ("--factor", 3, "--method", "kriging", "--option", "noise=1.0")
    assert said("enhance", section, "--out", out, *words)[0] == 0
    found = read_prediction(out)
    assert found.uns["mclstexp"]["options"]["noise"] == "1.0"
    assert found.n_obs > 4 * found.obs["in_section"].sum()


def test_counts_with_their_places_are_enough_for_what_does_not_look(section, said, tmp_path):
    table, alone = section / "counts.tsv", tmp_path / "alone.h5ad"
    assert said("enhance", table, "--out", tmp_path / "t.h5ad")[::2] == (0, "")
    found, whole = read_prediction(tmp_path / "t.h5ad"), tmp_path / "w.h5ad"
    assert said("enhance", section, "--out", whole, "--method", "nearest")[0] == 0
    assert set(read_prediction(whole).var_names) == set(found.var_names)
    counts = read_counts(table, what="the section")
    counts.obs["array_col"], counts.obs["array_row"] = np.divmod(np.arange(counts.n_obs), 3)
    counts.write_h5ad(alone)
    assert said("enhance", alone, "--out", tmp_path / "a.h5ad", "--genes", found.var_names[0])[0] == 0
    assert (read_prediction(tmp_path / "a.h5ad").obs["section"] == "alone").all()
    for path, expected in ((table, "counts alone"), (alone, "spot centres in pixels expected")):
        code, _, errors = said("enhance", path, "--out", tmp_path / "i.h5ad", "--method", "image_kriging")
        assert code == 2
        assert expected in errors
    del counts.obs["array_col"]
    counts.obs_names = [f"cell {n}" for n in range(counts.n_obs)]
    counts.obsm["spatial"] = np.random.default_rng(0).uniform(0, 99, (counts.n_obs, 2))
    counts.write_h5ad(tmp_path / "cells.h5ad")
    code, _, errors = said("enhance", tmp_path / "cells.h5ad", "--out", tmp_path / "c.h5ad")
    assert code == 2
    assert "cells: spots on a square or hexagonal array expected, found no array coordinates" in errors


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--factor", "2.5"), "a whole number expected for --factor, found 2.5"),
        (("--factor", "1"), "--factor of 2 to 8 expected, found 1"),
        (("--method", "kringing"), "did you mean 'kriging'?"),
        (("--option", "lenght_um=1"), "did you mean 'length_um'?"),
        (("--option", "length_um=0"), "length_um must be positive"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(section, said, tmp_path, words, expected):
    code, _, errors = said("enhance", section, "--out", tmp_path / "o.h5ad", *words)
    assert code == 2
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_methods_are_listed_by_what_they_answer(said):
    text = said("list")[1]
    assert text.index("imputation") < text.index("enhancement") < text.index("image_kriging")
    assert "length_um" in said("list", "enhancement.kriging")[1]
    assert "enhancement.mean has no options" in said("list", "enhancement.mean")[1]
