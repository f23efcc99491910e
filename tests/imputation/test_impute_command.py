"""`mclstexp impute`, as a user types it."""

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import mclstexp as mx
import st_files as files
from made_cells import made_cells, made_spots
from mclstexp.io.predictions import read_prediction


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("impute")
    made_spots(40)[:, :90].copy().write_h5ad(root / "section.h5ad")
    made_cells(60).write_h5ad(root / "cells.h5ad")
    (root / "genes.txt").write_text("G95  # a comment\nG3\n")
    return root


def test_genes_that_the_section_lacks_are_written_with_what_to_expect(folder, said, tmp_path):
    out = tmp_path / "imputed.h5ad"
    code, text, errors = said("impute", folder / "section.h5ad", "--reference", folder / "cells.h5ad", "--out", out)
    assert (code, errors) == (0, "")
    first, second, last = text.splitlines()
    assert first == "10 genes at 40 spots, learnt from 90 shared genes in 60 cells"
    assert second.startswith("expected PCC: ")
    assert last == str(out)
    found = read_prediction(out)
    assert list(found.var_names) == [f"G{i}" for i in range(90, 100)]
    assert found.var["expected_pcc"].between(-1, 1).all()
    assert set(found.obs["section"]) == {"section"}
    assert found.uns["mclstexp"]["method"] == "gene_ridge"
    assert found.obsm["spatial"].shape == (40, 2)

    code, _, errors = said("impute", folder / "section.h5ad", "--reference", folder / "cells.h5ad", "--out", out)
    assert code == 2
    assert "--overwrite" in errors
    again = said("impute", folder / "section.h5ad", "--reference", folder / "cells.h5ad", "--out", out, "--overwrite")
    assert again[0] == 0
    assert np.array_equal(read_prediction(out).X, found.X)


@pytest.mark.parametrize("genes", ["G95,G3", "genes.txt"])
def test_genes_are_named_or_listed_and_methods_take_options(folder, said, tmp_path, genes):
    genes = folder / genes if genes.endswith(".txt") else genes
    words = ("--genes", genes, "--method", "spage", "--option", "k=7", "--no-expect")
    out = tmp_path / "o.h5ad"
    code, text, errors = said(
        "impute", folder / "section.h5ad", "--reference", folder / "cells.h5ad", "--out", out, *words
    )
    assert (code, errors) == (0, "")
    assert "expected" not in text
    found = read_prediction(out)
    assert list(found.var_names) == ["G95", "G3"]
    assert found.var["in_section"].tolist() == [False, True]
    assert found.uns["mclstexp"]["options"]["k"] == "7"


def test_a_section_in_a_known_format(said, tmp_path):
    files.write_st_folder(tmp_path / "r1")
    files.change(tmp_path / "r1" / "counts.tsv", lambda table: table.assign(FASN=1))
    code, _, errors = said(
        "impute", tmp_path / "r1", "--reference", tmp_path / "none.h5ad", "--out", tmp_path / "o.h5ad"
    )
    assert code == 2
    assert "expected as the reference, found nothing" in errors


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--genes", "G95,nope"), "missing (nope)"),
        (("--genes", "absent.txt"), "a list of genes"),
        (("--method", "gene_rigde"), "did you mean 'gene_ridge'?"),
        (("--option", "penality=1"), "did you mean 'penalty'?"),
        (("--option", "penalty=0"), "penalty must be positive"),
        (("--reference", "genes.txt"), "expected as the reference, found another file"),
        (("--sections", "a,b"), ""),
    ],
)
def test_what_cannot_be_used_is_a_sentence(folder, said, tmp_path, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    given = ["section.h5ad", "--out", tmp_path / "o.h5ad"]
    given += [] if "--reference" in words else ["--reference", "cells.h5ad"]
    code, _, errors = said("impute", *given, *words)
    if not expected:
        assert code == 0, "one section has no need of a choice"
        return
    assert code == 2
    assert expected in errors
    assert not (tmp_path / "o.h5ad").exists()


def _renamed(cells, names):
    cells.var_names = names
    return cells


def _with_counts(cells, counts):
    cells.X = sparse.csr_matrix(np.asarray(counts, np.float32))
    return cells


@pytest.mark.parametrize("command", ["impute", "evaluate-imputation"])
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda cells: _renamed(cells, [f"Q{i}" for i in range(100)]), "found none (G0, … and Q0, …)"),
        (lambda cells: _renamed(cells, [f"g{i}" for i in range(100)]), "mouse genes are written Penk, human ones PENK"),
        (lambda cells: _renamed(cells, [f"ENSG{i:011d}" for i in range(100)]), "by Ensembl ids, the other by symbols"),
        (lambda cells: _with_counts(cells, np.zeros(cells.shape)), "give its raw counts"),
        (lambda cells: _with_counts(cells, np.log1p(cells.X.toarray() / 9)), "found normalised or no values"),
        (lambda cells: cells[:0].copy(), "cells with counts expected in the reference, found"),
        (lambda cells: cells[:, :0].copy(), "found no gene"),
    ],
)
def test_a_reference_that_is_none_is_a_sentence(folder, said, tmp_path, command, spoil, expected):
    spoil(made_cells(60)).write_h5ad(tmp_path / "cells.h5ad")
    words = ("--out", tmp_path / "o.h5ad") if command == "impute" else ("--methods", "mean")
    code, _, errors = said(command, folder / "section.h5ad", "--reference", tmp_path / "cells.h5ad", *words)
    assert code == 2
    assert expected in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "o.h5ad").exists()


def two_sections(path, *, places=True, column="library_id"):
    """Lay two sections into one file, each with places of its own image."""
    both = [made_spots(40, seed=seed)[:, :90].copy() for seed in (1, 2)]
    for part in both:
        part.obsm["spatial"] = both[0].obsm["spatial"]
    merged = ad.concat(dict(zip("ab", both, strict=True)), label=column or "library_id", index_unique="-")
    if column is None:
        merged.obs = merged.obs.drop(columns="library_id")
        merged.obs_names = ["".join("ACGT"[i // 4**k % 4] for k in range(12)) + f"-{1 + i // 40}" for i in range(80)]
    if not places:
        del merged.obsm["spatial"]
    merged.write_h5ad(path)
    return both


@pytest.mark.parametrize(
    ("places", "column", "names"),
    [(True, "library_id", "ab"), (False, "sample", "ab"), (False, None, "12")],
)
def test_of_a_file_with_several_sections_one_is_asked_for(folder, said, tmp_path, places, column, names):
    first, _ = two_sections(tmp_path / "two.h5ad", places=places, column=column)
    words = ("--reference", folder / "cells.h5ad", "--no-expect", "--out", tmp_path / "o.h5ad")
    for command in ("impute", "evaluate-imputation"):
        given = words if command == "impute" else (*words[:2], "--methods", "mean")
        code, _, errors = said(command, tmp_path / "two.h5ad", *given)
        assert code == 2
        assert f"found 2 ({names[0]}, {names[1]}): choose one with --sections" in errors
    assert not (tmp_path / "o.h5ad").exists()
    code, _, errors = said("impute", tmp_path / "two.h5ad", *words, "--sections", "c,d")
    assert code == 2
    code, _, errors = said("impute", tmp_path / "two.h5ad", *words, "--sections", names[0])
    assert (code, errors) == (0, "")
    found = read_prediction(tmp_path / "o.h5ad")
    assert set(found.obs["section"]) == {names[0]}
    alone = mx.impute(first, ad.read_h5ad(folder / "cells.h5ad"), expect=False)
    assert np.array_equal(found.X, alone.X), "the other section moves nothing"
    with pytest.raises(mx.InputError, match="found 2 libraries"):
        mx.impute(ad.read_h5ad(tmp_path / "two.h5ad"), ad.read_h5ad(folder / "cells.h5ad"))


def test_methods_are_listed_by_what_they_answer(said):
    code, text, _ = said("list")
    assert code == 0
    assert text.index("image → expression") < text.index("bleep") < text.index("imputation") < text.index("gene_ridge")
    assert "penalty" in said("list", "gene_ridge")[1]
    assert "imputation.mean has no options" in said("list", "imputation.mean")[1]
    assert "no options" in said("list", "mean")[1]
    assert said("list", "gene_rigde")[0] == 2
