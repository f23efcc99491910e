"""SEPAL: the training mean, the tile's own difference, and what its surroundings add."""

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.nn.local_graph import LocalGraphNetwork, LocalGraphs
from mclstexp.sight.embed import embed_tiles
from mclstexp.training.deltas import squared_error
from small_methods import ENCODER, small_sections

SMALL = {
    "encoder": ENCODER,
    "n_components": 8,
    "widths": (8, 8),
    "hops": 1,
    "batch_size": 16,
    "local_epochs": 3,
    "epochs": 3,
}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _predict(sections, **options):
    return create("sepal", **SMALL | options).fit(sections[:2]).predict(sections[2].tiles).X


def test_without_training_it_is_the_training_mean(sections):
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(_predict(sections, epochs=0, local_epochs=0), mean, atol=1e-5)


def test_without_a_second_stage_the_surroundings_do_not_matter(sections):
    model = create("sepal", **SMALL | {"epochs": 0}).fit(sections[:2])
    tiles = sections[2].tiles
    np.testing.assert_allclose(model.predict(tiles.take([7])).X[0], model.predict(tiles).X[7], atol=1e-6)
    features = torch.from_numpy((embed_tiles(tiles, ENCODER) - model.centre_) @ model.components_)
    expected = model.local_(features).detach().numpy() + model.mean_
    np.testing.assert_allclose(model.predict(tiles).X, expected, atol=1e-5)


def test_with_one_they_do_within_the_context_alone(sections):
    model = create("sepal", **SMALL | {"learning_rate": 0.1}).fit(sections[:2])
    tiles = sections[2].tiles
    assert model.context_um == 300
    assert np.abs(model.predict(tiles.take([7])).X[0] - model.predict(tiles).X[7]).max() > 1e-3
    near = np.linalg.norm(tiles.xy_um - tiles.xy_um[7], axis=1) <= 300
    assert near.sum() < len(tiles)
    row = int(near[:7].sum())
    np.testing.assert_allclose(model.predict(tiles.take(near)).X[row], model.predict(tiles).X[7], atol=1e-5)


@pytest.mark.parametrize("options", [{"layer": "gcn"}, {"join": "sum", "n_components": 7}, {"head_width": 5}])
def test_every_way_learns_something_of_its_own(options, sections):
    assert not np.array_equal(_predict(sections, **options), _predict(sections))


def test_zeros_can_be_left_out_of_the_error():
    predicted, truth = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    counted = torch.tensor([[True, False], [True, False]])
    assert float(squared_error(predicted, truth, None)) == 14 / 4
    assert float(squared_error(predicted, truth, counted)) == 5
    assert float(squared_error(predicted, truth, counted & False)) == 0


def test_zeros_left_out_raise_the_prediction(sections):
    # where only what was found counts, everything looks more abundant
    options = {"local_epochs": 30, "local_learning_rate": 1e-2, "epochs": 0}
    assert _predict(sections, masked=True, **options).mean() > _predict(sections, **options).mean() + 0.05


def test_the_network_has_the_published_sizes():
    model = LocalGraphNetwork(
        768, 256, widths=(512, 256, 128), layer="gcn", join="concat", radius_um=300.0, dropout=0.0
    )
    layers = (768 + 32) * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128
    assert sum(p.numel() for p in model.parameters()) == layers + 128 * 256 + 256


def test_the_centre_is_read_and_far_or_absent_nodes_are_not():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LocalGraphNetwork(4, 3, widths=(5, 5), layer="gcn", join="sum", radius_um=100.0, dropout=0.0)
        nodes = torch.randn(1, 4, 4)
        assert torch.equal(model(nodes, torch.zeros(1, 4, 2), torch.ones(1, 4, dtype=bool)), torch.zeros(1, 3))
        torch.nn.init.normal_(model.leave.weight)
    offset = torch.tensor([[[0.0, 0], [90, 0], [0, 250], [0, 0]]])
    present = torch.tensor([[True, True, True, False]])
    before = model(nodes, offset, present)
    for node, matters in ((0, True), (1, True), (2, False), (3, False)):
        changed = nodes.clone()
        changed[0, node] += 1
        assert torch.equal(model(changed, offset, present), before) is not matters


def test_no_graph_crosses_a_sections_border():
    xy = np.array([[0.0, 0], [100, 0]])
    graphs = LocalGraphs.build(
        np.zeros((4, 1), np.float32), [xy, xy], n_neighbours=3, reach_um=300.0, device=torch.device("cpu")
    )
    assert [sorted(set(row.tolist())) for row in graphs.index] == [[0, 1], [0, 1], [2, 3], [2, 3]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hops": 0}, "hops must be at least 1, found 0"),
        ({"widths": ()}, "widths must be one positive width or more"),
        ({"radius_um": 0.0}, "radius_um must be a positive number"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        create("sepal", **options)
