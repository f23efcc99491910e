"""Genes that training sections lack are imputed, learnt by image models, and said to be imputed where they appear."""

import dataclasses
import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import mclstexp as mx
from mclstexp.api import fit_model, load_model, model_info
from mclstexp.api.intervals import Intervals
from mclstexp.core import identity, keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.imputed import imputed_genes, with_expected
from mclstexp.evaluation.config import DataConfig, FitConfig, SyntheticConfig
from mclstexp.evaluation.impute_config import ImputeConfig
from mclstexp.imputation import create_imputer
from mclstexp.imputation.targets import impute_targets
from mclstexp.io.synthetic import make_sections

TILE = mx.TileSpec(size_px=32, mpp=2.0)
LACKED = ("TUMOUR1", "IMMUNE2")


@pytest.fixture(scope="module")
def whole():
    return make_sections(2, n_spots_side=8, n_genes=60, mpp=2.0, spec=TILE)


@pytest.fixture(scope="module")
def sections(whole):
    return [without(section, LACKED) for section in whole]


@pytest.fixture(scope="module")
def cells():
    """Spots of a third patient, without their places, in place of single cells."""
    counts = make_sections(3, n_spots_side=9, n_genes=60, mpp=2.0, spec=TILE)[2].counts
    names = [f"cell {i}" for i in range(counts.n_obs)]
    return ad.AnnData(counts.X, obs=pd.DataFrame(index=names), var=counts.var.copy())


def without(section, genes):
    kept = ~section.counts.var_names.isin(list(genes))
    return dataclasses.replace(section, counts=section.counts[:, kept].copy())


def imputed(sections, cells, **how):
    return impute_targets(sections, cells, imputer=create_imputer("gene_ridge"), **how)


def test_expected_counts_are_the_imputed_share_of_the_spots_counts(whole, sections, cells):
    found = imputed(sections, cells, genes=LACKED)
    space = ExpressionSpace(LACKED)
    assert imputed_genes(found) == list(LACKED)
    for section, bare in zip(found, sections, strict=True):
        shares = create_imputer("gene_ridge").impute(bare.counts, cells, genes=LACKED).X
        expected = np.expm1(np.maximum(shares, 0)) / 1e4 * np.asarray(bare.counts.X.sum(axis=1))
        assert np.allclose(space.counts(section.counts), expected, rtol=1e-5)
        assert (section.counts.X != bare.counts.X).nnz == 0, "what was measured stays"
        half = section.take(np.arange(len(section)) % 2 == 0)
        assert np.array_equal(space.counts(half.counts), space.counts(section.counts)[::2])
    truth = ExpressionSpace(LACKED[:1])(whole[0].counts)
    assert truth.shape == (len(whole[0]), 1)


def test_a_mixed_panel_is_scaled_as_if_all_were_counted():
    section = make_sections(1, n_spots_side=3, n_genes=12, mpp=2.0)[0]
    measured = section.genes[:2]
    beside = with_expected(section, pd.DataFrame({"NEW": np.full(len(section), 2.5)}), how={"method": "m"})
    for axis, total in (("spot", 1), ("gene", 0)):
        space = ExpressionSpace(("NEW", *measured), axis=axis)
        counts = np.column_stack([np.full(len(section), 2.5), section.counts[:, list(measured)].X.toarray()])
        totals = np.maximum(counts.sum(axis=total, keepdims=True), 1e-9)
        assert np.allclose(space(beside.counts), np.log10(1 + 1e4 * counts / totals), atol=1e-5)
    residual = ExpressionSpace(measured).joined(["NEW"], [beside]).on_residuals([beside])
    assert np.isfinite(residual(beside.counts)).all()


def test_what_cannot_be_expected_is_refused(sections):
    section = sections[0]
    with pytest.raises(InputError, match="measured: leave it out"):
        with_expected(section, pd.DataFrame({section.genes[0]: np.ones(len(section))}), how={})
    for wrong in (np.full(len(section), -1.0), np.full(len(section), np.nan), np.ones(3)):
        with pytest.raises(InputError, match="a count of 0 or more of each imputed gene"):
            with_expected(section, pd.DataFrame({"NEW": wrong}), how={})


def test_a_section_keeps_what_it_measured(whole, sections, cells):
    found = imputed([whole[0], sections[1]], cells, genes=LACKED)
    space = ExpressionSpace(LACKED)
    assert np.array_equal(space.counts(found[0].counts), whole[0].counts[:, list(LACKED)].X.toarray())
    assert (space.counts(found[1].counts) % 1 > 0).any()
    assert imputed_genes(found) == list(LACKED)


def test_other_sections_move_nothing_that_is_imputed(sections, cells):
    alone = imputed(sections[:1], cells, genes=LACKED)[0]
    beside = imputed(sections, cells, genes=LACKED)[0]
    space = ExpressionSpace(LACKED)
    assert np.array_equal(space.counts(alone.counts), space.counts(beside.counts))


def test_genes_are_chosen_by_the_score_to_expect(sections, cells):
    rng = np.random.default_rng(0)
    chance = [f"chance{i}" for i in range(5)]
    counts = sparse.hstack([cells.X, sparse.csr_matrix(rng.poisson(1, (cells.n_obs, 5)))], format="csr")
    names = pd.DataFrame(index=[*cells.var_names, *chance])
    more = ad.AnnData(counts.astype(np.int32), obs=cells.obs.copy(), var=names)
    all_ = imputed(sections, more, least=-1)
    expected = pd.Series(all_[0].counts.uns[keys.EXPECTED_COUNTS]["expected_pcc"])
    assert set(expected.index) == {*LACKED, *chance}
    middle = float(expected.median())
    assert set(imputed_genes(imputed(sections, more, least=middle))) == set(expected.index[expected >= middle])
    with pytest.raises(InputError, match=r"expected PCC of 0.99 or more expected, found 0\.\d\d at most of 7 genes"):
        imputed(sections, more, least=0.99)
    with pytest.raises(InputError, match="no training section has"):
        imputed(sections, cells[:, list(sections[0].genes)].copy())
    blank = cells.copy()
    blank.X = sparse.csr_matrix(cells.shape, dtype=np.float32)
    with pytest.raises(InputError, match=f"20 cells with counts expected in the reference, found 0 of {cells.n_obs}"):
        imputed(sections, blank)
    with pytest.raises(InputError, match="lacks expected, found none of 1"):
        imputed(sections, cells, genes=sections[0].genes[:1])


@pytest.mark.parametrize("name", ["mean", "ridge", pytest.param("mclstexp", marks=pytest.mark.slow)])
def test_models_learn_and_name_imputed_genes(sections, cells, tmp_path, name):
    ready = imputed(sections, cells, genes=LACKED, named="cells.h5ad")
    options = {} if name == "mean" else {"encoder": "efficientnet_lite0"}
    model = mx.create(name, **options).fit(ready)
    assert model.genes_[-2:] == LACKED
    predicted = model.predict(sections[0].tiles)
    assert predicted.var["imputed"].tolist() == [False] * (len(model.genes_) - 2) + [True, True]
    assert predicted.var["expected_pcc"].notna().tolist() == predicted.var["imputed"].tolist()
    assert predicted.uns["mclstexp"]["imputed"]["reference_name"] == "cells.h5ad"
    assert np.isfinite(predicted.X).all()
    again = mx.load_model(mx.save_model(model, tmp_path / "m"))
    assert np.array_equal(again.predict(sections[0].tiles).X, predicted.X)
    predicted.write_h5ad(tmp_path / "p.h5ad")
    assert "imputed" not in mx.create(name, **options).fit(sections).predict(sections[0].tiles).var
    with pytest.raises(InputError, match="2 imputed genes, which nobody measured"):
        Intervals.learn(model, sections)


def test_keys_hold_what_is_imputed_and_by_what(sections, cells):
    bare, ready = sections[0], imputed(sections, cells, genes=LACKED)[0]
    other = impute_targets(sections, cells, imputer=create_imputer("gene_knn"), genes=LACKED)[0]
    assert len({identity.of_section(section) for section in (bare, ready, other)}) == 3
    assert identity.hash_section(bare) == identity.hash_section(ready), "the same section was measured"


def config(cells_file, **how):
    data = DataConfig(synthetic=SyntheticConfig(n_patients=2, n_spots_side=8, n_genes=40, mpp=2.0))
    return FitConfig(data=data, tile=TILE, impute=ImputeConfig(reference=str(cells_file), **how))


@pytest.fixture
def cells_file(cells, tmp_path):
    rng = np.random.default_rng(0)
    twin = cells[:, "TUMOUR1"].X.toarray() + rng.poisson(0.1, (cells.n_obs, 1))
    more = sparse.hstack([cells.X, sparse.csr_matrix(twin)], format="csr").astype(np.int32)
    names = pd.DataFrame(index=[*cells.var_names, "TWIN1"])
    ad.AnnData(more, obs=cells.obs.copy(), var=names).write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


@pytest.mark.slow
def test_a_fit_is_done_once_and_anew_where_reference_or_imputer_differ(cells_file, tmp_path, monkeypatch):
    out = tmp_path / "run"
    fit_model("mean", config(cells_file, genes="TWIN1"), out=out)
    assert load_model(out).genes_[-1] == "TWIN1"
    assert model_info(out)["imputed genes"].startswith("1 (TWIN1), by gene_ridge from ")
    assert "/" not in json.loads((out / "model.json").read_text())["provenance"]["imputed"]["reference_name"]
    monkeypatch.setattr("mclstexp.imputation.targets.expected_scores", None)  # nothing is imputed again
    fit_model("mean", config(cells_file, genes="TWIN1"), out=out)
    monkeypatch.undo()
    for other in ({"method": "gene_knn"}, {"options": {"penalty": 0.5}}):
        with pytest.raises(InputError, match="overwrite"):
            fit_model("mean", config(cells_file, genes="TWIN1", **other), out=out)
    fewer = ad.read_h5ad(cells_file)[:60].copy()
    fewer.write_h5ad(tmp_path / "fewer.h5ad")
    with pytest.raises(InputError, match="overwrite"):
        fit_model("mean", config(tmp_path / "fewer.h5ad", genes="TWIN1"), out=out)
