"""The published network: equal to what the authors' release computes, once its keys are renamed."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.nn.thitogene import CapsuleEncoder, Sizes, THItoGeneNet
from mclstexp.nn.thitogene_weights import from_weights, load_thitogene


def _relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


def _lists(adjacency):
    """Turn a matrix into padded lists of neighbours."""
    near = adjacency > 0
    index = (~near).int().argsort(dim=1, stable=True)[:, : int(near.sum(dim=1).max())]
    return index, near.gather(1, index)


@pytest.mark.data
def test_the_release_and_the_import_agree(parity_dir):
    folder = parity_dir / "thitogene_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    network, sizes = load_thitogene(folder / "state_dict.safetensors")
    assert (sizes.n_capsules, sizes.capsule_dim, sizes.depth, sizes.n_heads, sizes.n_genes) == (3, 8, 1, 2, 9)
    patches = given["patches"].float()
    with torch.no_grad():
        assert _relative(functional.relu(network.image.odconv(patches[:2])), expected["odconv"]) < 1e-4
        capsules = network.image.capsules(patches).flatten(1)
        assert _relative(capsules, expected["capsules"].flatten(1)) < 1e-4
        predicted = network.decode(capsules, SlideInputs(patches, given["centers"], *_lists(given["adjacency"])))
        assert _relative(predicted, expected["prediction"]) < 1e-4


@pytest.mark.data
def test_a_checkpoint_of_another_kind_is_refused(parity_dir, tmp_path):
    weights = load_file(parity_dir / "thitogene_small" / "state_dict.safetensors")
    del weights["gat.out_att.a"]
    with pytest.raises(InputError, match="1 tensors missing"):
        from_weights(weights, source="weights")
    save_file({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="published THItoGene expected"):
        load_thitogene(tmp_path / "other.safetensors")


def test_the_published_network_has_its_size():
    sizes = Sizes(n_genes=785)
    with torch.device("meta"):
        network = THItoGeneNet(CapsuleEncoder(sizes.n_capsules, sizes.capsule_dim), sizes)
    assert sizes.dim == 1408
    odconv = 3 * 16 + 32 + (16 + 1) * (3 + 16 + 16 + 4) + 4 * 16 * 3 * 16
    stack = sum(a * b * k * k + 3 * b for a, b, k in ((16, 32, 5), (32, 64, 3), (64, 64, 3), (64, 128, 3)))
    image = odconv + stack + 128 * (81 + 1) + 20 * 16 * (8 * 64 + 1)
    block = 4 * 1408 + 1408 * 3 * 1024 + 1025 * 1408 + 1409 * 2048 + 2049 * 1408
    graph = 8 * (1408 * 1024 + 2048) + 8192 * 512 + 1024
    head = 513 * 1024 + 2 * 1024 + 1025 * 785
    assert sum(p.numel() for p in network.parameters()) == image + 2 * 64 * 64 + 4 * block + graph + head == 63_586_712


def test_a_place_tells_and_so_do_the_neighbours():
    torch.manual_seed(0)
    sizes = Sizes(3, n_positions=8, n_capsules=2, capsule_dim=4, depth=0, graph_heads=2, graph_dim=4, graph_out=4)
    network = THItoGeneNet(torch.nn.Identity(), sizes).eval()
    position = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
    inputs = SlideInputs(torch.randn(4, 8), position, torch.tensor([[1], [0], [3], [2]]), torch.ones(4, 1).bool())
    before = network(inputs)
    # two graph layers: a tile hears its neighbour's neighbour, which here is itself
    moved = network(replace(inputs, position=position.flip(1)))
    torch.testing.assert_close(moved[[0, 3]], before[[0, 3]])
    assert not torch.isclose(moved[[1, 2]], before[[1, 2]]).all(dim=1).any()
    other = network(replace(inputs, neighbours=torch.tensor([[2], [0], [3], [2]])))
    torch.testing.assert_close(other[2:], before[2:])
    assert not torch.isclose(other[:2], before[:2]).all(dim=1).any()


def test_pixels_are_scaled_and_turned_as_the_published_loader_has_them():
    torch.manual_seed(0)
    pixels = torch.randint(256, (2, 3, 112, 112), dtype=torch.uint8)
    encoder = CapsuleEncoder(2, 4).eval()
    torch.testing.assert_close(encoder(pixels), encoder.capsules(pixels.transpose(2, 3) / 255).flatten(1))
    raw = CapsuleEncoder(2, 4, scale=1.0).eval()
    raw.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(raw(pixels), raw.capsules(pixels.transpose(2, 3).float()).flatten(1))


def test_in_evaluation_pictures_are_computed_in_parts(monkeypatch):
    from mclstexp.nn import thitogene

    torch.manual_seed(0)
    sizes = Sizes(3, n_capsules=2, capsule_dim=4, depth=1, n_heads=1, hidden=4, graph_heads=1, graph_dim=4, graph_out=4)
    network = THItoGeneNet(CapsuleEncoder(2, 4), sizes).eval()
    pixels = torch.randint(256, (5, 3, 112, 112), dtype=torch.uint8)
    inputs = SlideInputs(pixels, torch.zeros(5, 2).long(), torch.zeros(5, 1).long(), torch.ones(5, 1).bool())
    whole = network(inputs)
    monkeypatch.setattr(thitogene, "TILES_AT_ONCE", 2)
    torch.testing.assert_close(network(inputs), whole)
