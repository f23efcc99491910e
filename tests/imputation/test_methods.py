"""Each method of imputation finds what made-up cells and spots share, and nothing of what it must not see."""

import sys

import numpy as np
import pytest
from scipy import sparse

from made_cells import grown, made_cells, made_spots, with_noise
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import ROOM
from mclstexp.core.options import describe_options
from mclstexp.core.pairing import pair
from mclstexp.evaluation.metrics import pcc
from mclstexp.imputation import create_imputer, list_imputers
from mclstexp.imputation.expected import expected_scores
from mclstexp.imputation.gene_ridge import PENALTIES, ridge_over_genes
from mclstexp.imputation.gimvi import counts_of_shares
from mclstexp.imputation.patterns import at_level, co_expression, z_scores
from mclstexp.imputation.spage import nearest_cells

CONTROLS = {"mean", "depth"}
SMALL: dict[str, dict] = {
    "gimvi": {"max_epochs": 3},
    "tangram": {"n_steps": 40},
    "spadit": {"max_steps": 5, "n_draws": 2, "n_maps": 5, "n_scores": 8},
}
"""Options by which a method takes no time."""
TRAINED: dict[str, dict] = {"spadit": {"max_steps": 100, "learning_rate": 3e-3}, "gimvi": {"max_epochs": 200}}
"""What lets it learn."""
NAMES = list(ROOM.ready())
HIDDEN = [f"G{i}" for i in range(0, 100, 10)]


def small(name):
    return create_imputer(name, **SMALL.get(name, {}))


def quick(names):
    """Mark what takes long as slow; `test_questions` puts every method to the promises in little time."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("gimvi", "spadit", "tangram")))
        for name in sorted(names)
    ]


@pytest.fixture(scope="module")
def cells():
    return made_cells()


@pytest.fixture(scope="module")
def spots():
    return made_spots()


def truth(spots, genes=HIDDEN):
    counts = spots.X.toarray()
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))[:, spots.var_names.get_indexer(genes)]


@pytest.mark.parametrize("name", quick(NAMES))
def test_hidden_genes_replaced_by_random_numbers_move_nothing(name, spots, cells):
    honest = small(name).impute(spots, cells, genes=HIDDEN)
    noisy = small(name).impute(with_noise(spots, HIDDEN), cells, genes=HIDDEN)
    without = small(name).impute(spots[:, ~spots.var_names.isin(HIDDEN)].copy(), cells, genes=HIDDEN)
    assert np.array_equal(honest.X, noisy.X)
    assert np.array_equal(honest.X, without.X)
    assert honest.uns["mclstexp"] == noisy.uns["mclstexp"] == without.uns["mclstexp"]
    assert honest.var["in_section"].all()
    assert not without.var["in_section"].any()


@pytest.mark.parametrize("name", quick(NAMES))
def test_expected_scores_are_blind_to_hidden_genes_too(name, spots, cells):
    asked = tuple(HIDDEN)
    honest = expected_scores(small(name), spots, cells, targets=asked)
    noisy = expected_scores(small(name), with_noise(spots, HIDDEN), cells, targets=asked)
    assert honest.equals(noisy)
    assert honest.notna().all(axis=None)


@pytest.mark.parametrize("name", quick(set(NAMES) - CONTROLS))
def test_genes_of_cell_types_are_found_and_names_at_random_are_not(name, spots, cells):
    imputer = create_imputer(name, **{**SMALL.get(name, {}), **TRAINED.get(name, {})})
    assert pcc(truth(spots), imputer.impute(spots, cells, genes=HIDDEN).X).mean() > 0.7
    shuffled = cells.copy()
    shuffled.var_names = np.random.default_rng(0).permutation(cells.var_names)
    scores = []
    for start in range(10):
        genes = list(spots.var_names[start::10])
        scores.append(pcc(truth(spots, genes), imputer.impute(spots, shuffled, genes=genes).X).mean())
    assert abs(np.mean(scores)) < 0.1


def test_controls_know_no_gene_from_another(spots, cells):
    flat = small("mean").impute(spots, cells, genes=HIDDEN)
    assert (flat.X[0] == flat.X).all()
    known = pair(spots, cells, genes=HIDDEN)
    assert np.allclose(flat.X[0], known.asked.toarray().mean(axis=0))
    map_ = z_scores(small("depth").impute(spots, cells, genes=HIDDEN).X.astype(float))
    assert np.allclose(map_, map_[:, :1], atol=1e-4)
    assert np.allclose(map_[:, 0], z_scores(known.depth[:, None])[:, 0], atol=1e-4)


@pytest.mark.parametrize("name", quick(NAMES))
def test_options_are_explained_and_the_callers_things_left_alone(name, spots, cells):
    assert all(option.text for option in describe_options(list_imputers()[name]))
    assert (list_imputers()[name].__doc__ or "").strip()
    before = spots.X.copy(), cells.X.copy(), list(spots.uns), list(spots.obs)
    first = small(name).impute(spots, cells, genes=HIDDEN)
    assert (before[0] != spots.X).nnz == (before[1] != cells.X).nnz == 0
    assert (list(spots.uns), list(spots.obs)) == before[2:]
    again = small(name).impute(spots, cells, genes=HIDDEN)
    assert np.array_equal(first.X, again.X)
    assert first.X.dtype == np.float32


@pytest.mark.parametrize("name", quick(NAMES))
def test_an_answer_does_not_depend_on_what_else_is_asked_that_the_section_lacks(name, spots, cells):
    section = spots[:, ~spots.var_names.isin(HIDDEN)].copy()
    all_ = small(name).impute(section, cells, genes=HIDDEN)
    one = small(name).impute(section, cells, genes=HIDDEN[3:4])
    assert np.allclose(one.X[:, 0], all_.X[:, 3], atol=1e-5)


def test_a_method_whose_extra_is_not_installed_says_what_to_install(spots, cells, monkeypatch):
    monkeypatch.setitem(sys.modules, "scvi.external", None)
    with pytest.raises(InputError, match=r"scvi-tools expected .* pip install 'mclstexp\[gimvi\]'"):
        create_imputer("gimvi").impute(spots, cells, genes=HIDDEN)


def test_counts_are_had_back_from_their_shares(spots, cells):
    known = pair(spots, cells, genes=HIDDEN)
    found = counts_of_shares(sparse.csr_matrix(known.cells), known.cell_depth)
    assert np.array_equal(found.toarray(), cells[:, list(known.genes)].X.toarray())


def test_a_copy_of_a_gene_that_is_learnt_gets_its_pattern(spots, cells):
    twin = grown(cells, cells[:, "G7"].X, ["copy"])
    found = create_imputer("gene_ridge", penalty=0.01).impute(spots, twin, genes=["copy"])
    assert pcc(truth(spots, ["G7"]), found.X)[0] > 0.9


def test_the_penalty_is_that_of_least_error_over_left_out_genes(spots, cells):
    known = pair(spots, cells, genes=HIDDEN)
    z, patterns = z_scores(known.cells), z_scores(known.spots).T
    kernel = z.T @ z / len(z)

    def left_out(penalty):
        errors = []
        for gene in range(0, len(kernel), 9):
            rest = np.delete(np.arange(len(kernel)), gene)
            inner = np.linalg.solve(kernel[np.ix_(rest, rest)] + penalty * np.eye(len(rest)), patterns[rest])
            errors.append(((kernel[gene, rest] @ inner - patterns[gene]) ** 2).mean())
        return np.mean(errors)

    weights = ridge_over_genes(kernel, patterns, penalties=PENALTIES)
    best = min(PENALTIES, key=left_out)
    near = [np.linalg.solve(kernel + penalty * np.eye(len(kernel)), patterns) for penalty in PENALTIES]
    chosen = [penalty for penalty, other in zip(PENALTIES, near, strict=True) if np.allclose(weights, other, atol=1e-6)]
    assert abs(np.log(chosen[0] / best)) < 1.3, "one step of the list at most, for a ninth of the genes was left out"


def test_patterns_get_the_level_of_genes_alike(spots, cells):
    known = pair(spots, cells, genes=HIDDEN)
    values = at_level(known, z_scores(truth(spots)))
    assert np.allclose(values.mean(axis=0), truth(spots).mean(axis=0), atol=0.5)
    assert (values.std(axis=0) <= known.spots.std(axis=0).max() + 1e-9).all()
    dense = np.corrcoef(np.hstack([known.asked.toarray(), known.cells]), rowvar=False)[: len(HIDDEN), len(HIDDEN) :]
    assert np.allclose(co_expression(known), dense)


def test_weights_of_the_nearest_cells_worked_by_hand():
    spots, cells = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [0.6, 0.8]])
    # cosine distances 0, 1 - √½ = .292893, 2 (beyond a right angle) and .4, which add up to .692893
    expected = [0.5, (1 - 0.292893 / 0.692893) / 2, 0, (1 - 0.4 / 0.692893) / 2]
    assert np.allclose(nearest_cells(spots, cells, k=4).toarray()[0], expected, atol=1e-6)
    assert nearest_cells(spots, -cells[:2], k=2).toarray()[0].tolist() == [0, 1], "none is near: the nearest alone"
    assert nearest_cells(spots, cells[[0, 0]], k=2).toarray()[0].tolist() == [0.5, 0.5]


@pytest.mark.slow
def test_cells_are_laid_on_spots_so_that_their_share_is_that_of_the_counts(spots, cells):
    known = pair(spots, cells, genes=HIDDEN)
    tangram = create_imputer("tangram", n_steps=200, density_weight=10.0)
    density = np.expm1(known.depth) / np.expm1(known.depth).sum()
    share = np.full(len(known.cells), 1 / len(known.cells))
    laid = tangram._lay(known.cells, known.spots, share, density)
    assert np.allclose(laid.sum(axis=1), 1)
    assert np.abs(share @ laid - density).max() < 0.2 * density.max()
    mean = tangram.impute(spots, cells, genes=HIDDEN).X
    kept = (laid.T * share) / (share @ laid)[:, None]
    assert np.allclose(mean, kept @ known.asked.toarray(), atol=1e-4)
    summed = create_imputer("tangram", preset="published", n_steps=200, density_weight=10.0)
    assert np.allclose(
        summed.impute(spots, cells, genes=HIDDEN).X, len(laid[0]) * (laid.T * share) @ known.asked, atol=1e-3
    )


@pytest.mark.slow
def test_types_are_laid_where_cells_are_too_many(spots, cells, monkeypatch):
    asked = {"genes": HIDDEN}
    by_column = create_imputer("tangram", mode="cluster", cell_type="cell_type")
    found = by_column.impute(spots, cells, **asked)
    assert pcc(truth(spots), found.X).mean() > 0.7
    relabelled = cells.copy()
    relabelled.obs["cell_type"] = cells.obs["cell_type"].str.upper()
    assert np.array_equal(by_column.impute(spots, relabelled, **asked).X, found.X)
    monkeypatch.setattr("mclstexp.imputation.tangram.MOST", 1000)
    by_kmeans = create_imputer("tangram", n_clusters=5).impute(spots, cells, **asked)
    assert pcc(truth(spots), by_kmeans.X).mean() > 0.7
    with pytest.raises(InputError, match=r"obs\['kind'\] of the reference, found cell_type"):
        create_imputer("tangram", cell_type="kind").impute(spots, cells, **asked)


def test_expected_scores_tell_genes_of_types_from_genes_of_chance(spots, cells):
    rng = np.random.default_rng(4)
    chance = [f"chance{i}" for i in range(30)]
    reference = grown(cells, rng.poisson(2, (cells.n_obs, 30)), chance)
    section = grown(spots, rng.poisson(8, (spots.n_obs, 15)), chance[:15])
    asked = (*HIDDEN, *chance[15:])
    found = expected_scores(create_imputer("gene_ridge"), section, reference, targets=asked)
    assert found.loc[HIDDEN].min(axis=None) > 0.8
    assert found.drop(HIDDEN)["expected_pcc"].max() < 0.5
    assert found.drop(HIDDEN)["expected_pcc_depth"].max() < 0.2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gene_ridge", {"penalty": 0.0}),
        ("gene_knn", {"k": 0}),
        ("gimvi", {"max_epochs": 0}),
        ("spage", {"k": 0}),
        ("spage", {"n_components": 0}),
        ("spage", {"least_cosine": 1.0}),
        ("spadit", {"n_draws": 0}),
        ("spadit", {"learning_rate": 0.0}),
        ("tangram", {"mode": "spot"}),
        ("tangram", {"n_steps": 0}),
        ("tangram", {"density_weight": -1.0}),
        ("tangram", {"preset": "publishd"}),
        ("gene_ridge", {"preset": "published"}),
        ("gene_ridge", {"penality": 1.0}),
        ("mean", {"k": 1}),
        ("gene_rigde", {}),
    ],
)
def test_options_that_cannot_be_used_are_refused(name, options):
    with pytest.raises(InputError, match=r"must|expected|has no option|has no preset"):
        create_imputer(name, **options)
