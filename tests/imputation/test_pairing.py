"""What an imputer sees of a section and a reference, and the sentences about what it cannot use."""

import numpy as np
import pytest
from scipy import sparse

import mclstexp as mx
from made_cells import made_cells, made_spots
from mclstexp.core import pairing
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer
from mclstexp.core.pairing import pair
from small_methods import small_sections


@pytest.fixture
def cells():
    return made_cells(60)


@pytest.fixture
def spots():
    return made_spots(40)


def renamed(counts, rename):
    counts = counts.copy()
    counts.var_names = [rename(name) for name in counts.var_names]
    return counts


def test_scales_worked_by_hand(spots, cells):
    known = pair(spots, cells, genes=["G1", "G50"])
    assert known.targets == ("G1", "G50")
    assert not {"G1", "G50"} & set(known.genes)
    seen = spots.X.toarray()[:, ~spots.var_names.isin(["G1", "G50"])]
    assert np.allclose(known.depth, np.log(1 + seen.sum(axis=1))), "of what is not asked for"
    gene, row = known.genes[3], 7
    expected = np.log(1 + 1e4 * spots[row, gene].X.toarray()[0, 0] / seen[row].sum())
    assert known.spots[row, 3] == pytest.approx(expected)
    counts = cells.X.toarray()
    assert known.asked.toarray()[5, 1] == pytest.approx(np.log(1 + 1e4 * counts[5, 50] / counts[5].sum())), "of all"


def test_by_default_what_the_section_lacks_and_cells_express(spots, cells):
    section = spots[:, [f"G{i}" for i in range(90)]].copy()
    matrix = cells.X.toarray()
    matrix[1:, 95] = 0
    cells.X = sparse.csr_matrix(matrix)
    assert pair(section, cells, genes=None).targets == tuple(f"G{i}" for i in range(90, 100) if i != 95)


def test_the_most_variable_of_many_are_learnt_from_whatever_their_order(spots, cells, monkeypatch):
    monkeypatch.setattr(pairing, "MAX_GENES", 30)
    known = pair(spots, cells, genes=["G0"])
    other = pair(spots[:, spots.var_names[::-1]].copy(), cells, genes=["G0"])
    assert len(known.genes) == 30
    assert sorted(known.genes) == sorted(other.genes)


def test_spots_and_cells_without_counts_are_told_and_left_out(spots, cells):
    for counts, some in ((spots, [3, 4]), (cells, [0])):
        matrix = counts.X.toarray()
        matrix[some] = 0
        counts.X = sparse.csr_matrix(matrix)
    with pytest.warns(UserWarning, match="no counts") as told:
        found = mx.impute(spots, cells, genes=["G2", "G30"], expect=False)
    assert {str(warning.message) for warning in told} == {
        "2 of 40 spots have no counts: nothing is learnt of them, they get each gene's mean",
        "1 of 60 cells of the reference have no counts: left out",
    }
    kept = np.delete(np.arange(40), [3, 4])
    assert np.allclose(found.X[3], found.X[kept].mean(axis=0), atol=1e-5)
    alone = mx.impute(spots[kept].copy(), cells[1:].copy(), genes=["G2", "G30"], expect=False)
    assert np.array_equal(found.X[kept], alone.X)
    with pytest.warns(UserWarning, match="have no counts") as told:
        mx.impute(spots, cells, genes=["G2", "G30"])
    assert len(told) == 2, "each is said once"


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s, c: (s, renamed(c, lambda g: f"X{g}")), r"share expected, found none \(G0, … and XG0, …\)"),
        (lambda s, c: (renamed(s, lambda g: f"Gene{g}"), renamed(c, lambda g: f"GENE{g}")), "of the same species"),
        (lambda s, c: (s, renamed(c, lambda g: f"ENSG{int(g[1:]):011d}")), "the reference names genes by Ensembl ids"),
        (lambda s, c: (renamed(s, lambda g: "G1" if g == "G2" else g), c), "in the section, found 'G1' twice"),
        (lambda s, c: (s, renamed(c, lambda g: "G1" if g == "G2" else g)), "in the reference, found 'G1' twice"),
        (lambda s, c: (s, c[:12].copy()), "at least 20 cells with counts expected in the reference, found 12 of 12"),
        (lambda s, c: (s[:6].copy(), c), "at least 10 spots .* found 6 of 6"),
        (lambda s, c: (s[:, :4].copy(), c), "at least 5 genes to learn from"),
    ],
)
def test_pairs_that_cannot_be_used(spots, cells, change, words):
    section, reference = change(spots, cells)
    with pytest.raises(InputError, match=words) as told:
        mx.impute(section, reference, genes=["G1"] if "G1" in set(reference.var_names) else None)
    assert len(str(told.value)) <= 300


def test_a_reference_without_counts(spots, cells):
    cells.X = np.log1p(cells.X.toarray())
    with pytest.raises(InputError, match=r"the reference: raw counts .* normalised"):
        mx.impute(spots, cells)


def test_genes_that_cannot_be_asked_for(spots, cells):
    for genes, words in (
        (["G1", "nope"], r"1 of 2 missing \(nope\)"),
        (["g1"], "did you mean 'G1'"),
        (["G1", "G1"], "asked for, found 'G1' twice"),
        ([], "genes to impute expected, found none"),
        (list(spots.var_names), "spots with counts of genes that are not asked for"),
        (list(spots.var_names[:97]), "at least 5 genes to learn from"),
        (None, "found none: name genes with genes="),
    ):
        with pytest.raises(InputError, match=words):
            mx.impute(spots, cells, genes=genes)


def test_a_single_name_is_a_gene(spots, cells):
    assert list(mx.impute(spots, cells, genes="G12", expect=False).var_names) == ["G12"]


def test_few_shared_genes_leave_no_score_to_expect(spots, cells):
    with pytest.warns(UserWarning, match="8 shared genes are too few to hide some"):
        found = mx.impute(spots[:, :8].copy(), cells, genes=["G90"])
    assert found.var["expected_pcc"].isna().all()


def test_a_section_with_its_image_serves_as_well():
    section = small_sections()[0]
    cells = made_cells(60)[:, : len(section.genes)].copy()
    cells.var_names = [*section.genes[:-1], "NEW"]
    found = mx.impute(section, cells, genes=["NEW"])
    assert list(found.obs_names) == list(section.tiles.ids)
    assert np.array_equal(found.obsm["spatial"], section.tiles.xy)
    assert set(found.obs["section"]) == {section.id}


@pytest.mark.parametrize("wrong", ["shape", "nan"])
def test_a_method_that_answers_amiss_is_a_bug(spots, cells, wrong):
    class Amiss(Imputer):
        def _impute(self, known):
            values = np.zeros((len(known.spots), len(known.targets) + (wrong == "shape")))
            values[0, 0] = np.nan if wrong == "nan" else 0
            return Imputed(values)

    with pytest.raises(RuntimeError, match="returned shape"):
        Amiss().impute(spots, cells, genes=["G1"])
