"""Diffusion over genes: the space it is learnt in, its network, its draws."""

import numpy as np
import pytest
import torch

from made_cells import grown, made_cells, made_spots
from mclstexp.core.pairing import pair
from mclstexp.imputation import create_imputer
from mclstexp.imputation.gene_space import gene_space
from mclstexp.imputation.patterns import z_scores
from mclstexp.nn.gene_diffusion import GeneDenoiser, kept_signal, sample

SMALL = {"max_steps": 10, "n_maps": 5, "n_scores": 8}


@pytest.fixture(scope="module")
def cells():
    return made_cells(120)


@pytest.fixture(scope="module")
def spots():
    return made_spots(80)


def test_genes_that_do_not_make_the_space_are_read_in_it(spots, cells):
    known = pair(spots, grown(cells, cells[:, "G7"].X, ["copy"]), genes=["copy", "G40"])
    genes = np.arange(len(known.genes))
    made_of = np.delete(genes, [3, 50])
    space = gene_space(known, genes=genes, made_of=made_of, n_maps=60, n_scores=12)
    assert np.allclose(space.maps @ space.maps.T, np.eye(60), atol=1e-8)
    assert np.allclose((space.answers[made_of] ** 2).mean(axis=0), 1)
    assert np.allclose(space.scores[made_of].std(axis=0), 1)
    assert np.allclose(space.asked[0], space.scores[known.genes.index("G7")], atol=0.05), (
        "but for its own counts' noise"
    )
    changed = known.spots.copy()
    changed[:, [3, 50]] = np.random.default_rng(0).normal(size=(80, 2))
    again = gene_space(pair_with(known, spots=changed), genes=genes, made_of=made_of, n_maps=60, n_scores=12)
    assert np.array_equal(again.maps, space.maps)
    assert np.array_equal(again.answers[made_of], space.answers[made_of])
    whole = gene_space(known, genes=genes, made_of=genes, n_maps=200, n_scores=4)
    assert np.allclose(whole.patterns(whole.answers), z_scores(known.spots).T, atol=1e-6), (
        "with all maps nothing is lost"
    )


def pair_with(known, **changed):
    return type(known)(**{**vars(known), **changed})


def test_noised_genes_do_not_see_each_other():
    torch.manual_seed(0)
    network = GeneDenoiser(4, 6, dim=16, n_heads=2, dropout=0.0)
    for block in (*network.blocks, network.out):
        torch.nn.init.normal_(block.modulation.weight, std=0.3)
    torch.nn.init.normal_(network.out.linear.weight, std=0.3)
    answers, scores = torch.randn(7, 4), torch.randn(7, 6)
    time = torch.tensor([0.0, 0, 0, 0, 20, 20, 20])
    other = torch.cat([answers[:5], torch.randn(2, 4)])
    first, second = network(answers, scores, time), network(other, scores, time)
    assert torch.allclose(first[4], second[4], atol=1e-5)
    assert not torch.allclose(first[5], second[5], atol=1e-3)
    known = torch.cat([torch.randn(1, 4), answers[1:]])
    assert not torch.allclose(network(known, scores, time)[4], first[4], atol=1e-3), "but the known ones"
    kept = torch.tensor([0, 1, 2, 3, 4])
    assert torch.allclose(network(answers[kept], scores[kept], time[kept])[4], first[4], atol=1e-5)


def test_a_network_that_knows_is_believed():
    class Knowing(GeneDenoiser):
        def forward(self, answers, scores, time):
            return scores[:, :3].expand(answers.shape)

    scores, noise = torch.randn(6, 5), torch.randn(4, 3)
    drawn = sample(Knowing(3, 5), torch.randn(2, 3), scores, noise=noise, n_steps=50)
    assert drawn.shape == (4, 4, 3)
    assert torch.equal(drawn, scores[2:, :3].expand(4, 4, 3))


def test_signal_goes_from_all_to_almost_none():
    kept = kept_signal(50)
    assert kept[0] == 1
    assert kept[-1].item() == pytest.approx(1e-4)
    assert (kept.diff() < 0).all()


@pytest.mark.slow
def test_draws_have_a_spread_and_a_seed(spots, cells):
    asked = ["G5", "G90"]
    found = create_imputer("spadit", **SMALL).impute(spots, cells, genes=asked)
    assert found.layers["sd"].shape == found.shape
    assert (found.layers["sd"] > 0).mean() > 0.9
    state = torch.random.get_rng_state()
    other = create_imputer("spadit", **SMALL, seed=1).impute(spots, cells, genes=asked)
    assert torch.equal(state, torch.random.get_rng_state()), "the callers' random numbers are left alone"
    assert not np.array_equal(found.X, other.X)
