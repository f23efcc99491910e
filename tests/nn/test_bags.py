"""Networks of bags: gated attention, co-attention, and the hierarchy over it."""

import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.nn import gated_attention, mcat
from mclstexp.nn.gated_attention import Abmil
from mclstexp.nn.himt import Himt
from mclstexp.nn.mcat import Coattention, Mcat
from mclstexp.nn.survival_losses import cox_loss


def near(found, expected, tolerance=1e-4):
    gap = (found.detach() - expected.reshape(found.shape)).abs().max()
    return float(gap) <= tolerance * max(float(expected.abs().max()), 1e-3)


def test_a_bag_read_in_chunks_is_the_bag():
    torch.manual_seed(0)
    network = Abmil(6, width=8, hidden=4, n_out=2).eval()
    bag = 30 * torch.randn(50, 6)
    whole = network(bag)
    assert torch.allclose(network.stream(bag.split(7)), whole, atol=1e-5)
    assert torch.allclose(network.stream(bag.flip(0).split(13)), whole, atol=1e-5)


def test_padding_weighs_nothing():
    torch.manual_seed(0)
    network = Abmil(6, width=8, hidden=4).eval()
    bags = torch.randn(2, 5, 6)
    present = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    assert torch.allclose(network(bags, present)[0], network(bags[0, :3]), atol=1e-6)


def test_coattention_is_attention_of_one_head():
    torch.manual_seed(0)
    ours, theirs = Coattention(8), torch.nn.MultiheadAttention(8, 1, batch_first=True)
    parts = (ours.to_query, ours.to_key, ours.to_value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.to_out.state_dict())
        groups, patches = torch.randn(3, 8), torch.randn(11, 8)
        seen, scores = ours(groups, patches)
        expected, weights = theirs(groups[None], patches[None], patches[None])
    assert torch.allclose(seen, expected[0], atol=1e-6)
    assert torch.allclose(scores.softmax(dim=1), weights[0], atol=1e-6)


def levels(seed):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 6, generator=draw) for n in (4, 9, 20)]


def test_the_hierarchy_reads_each_level_and_what_the_coarser_one_saw():
    torch.manual_seed(0)
    network = Himt(6, [2, 3], width=16, hidden=8).eval()
    genes = torch.randn(2, 5)
    bags = [levels(0), levels(1)]
    both = network(bags, genes)
    assert both.shape == (2, 4)
    assert torch.allclose(network(bags[1:], genes[1:]), both[1:], atol=1e-6)
    groups = network.groups(genes)[0]
    before, _ = network.look(groups, bags[0])
    coarse = [bags[0][0] + 1, *bags[0][1:]]
    after, scores = network.look(groups, coarse)
    assert all(float((a - b).abs().max()) > 1e-4 for a, b in zip(before, after, strict=True))
    fine = [*bags[0][:2], bags[0][2] + 1]
    assert torch.equal(network.look(groups, fine)[0][:2], before[:2])
    assert [score.shape for score in scores] == [(2, 4), (2, 9), (2, 20)]
    both.sum().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in network.parameters())


def test_order_of_patches_does_not_count():
    torch.manual_seed(0)
    network = Mcat(6, [2, 3], width=16, hidden=8).eval()
    bag, genes = torch.randn(20, 6), torch.randn(1, 5)
    assert torch.allclose(network([bag], genes), network([bag.flip(0)], genes), atol=1e-6)


@pytest.mark.parametrize(
    ("load", "network", "name"),
    [(gated_attention.load_published, Abmil(3), "ABMIL"), (mcat.load_published, Mcat(3, [2]), "MCAT")],
)
def test_weights_of_another_network_are_refused(load, network, name):
    with pytest.raises(InputError, match=f"the published {name} expected in here"):
        load(network, {"classifier.weight": torch.zeros(1, 4)}, source="here")


@pytest.mark.data
def test_numbers_of_the_released_abmil(parity_dir):
    folder = parity_dir / "abmil_small"
    inputs, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    network = Abmil(12, width=16, hidden=8).eval()
    gated_attention.load_published(network, load_file(folder / "state_dict.safetensors"), source="abmil_small")
    present = inputs["mask"] > 0
    logits = network(inputs["patches"], present)
    assert near(logits, expected["logits"])
    vectors = network.project(inputs["patches"])
    weights = network.weights(vectors, present)
    assert near(weights, expected["attention"])
    assert near((weights[:, None] @ vectors)[:, 0], expected["bag_embedding"])
    time = inputs["time"][:, 0]
    loss = cox_loss(logits[:, 0], time, inputs["censored"][:, 0] == 0)
    loss.backward()
    assert near(loss, expected["cox_loss"])
    assert near(network.head.weight.grad, expected["grad.classifier.weight"])


@pytest.mark.data
def test_numbers_of_the_released_mcat(parity_dir):
    folder = parity_dir / "mcat_small"
    inputs, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    network = Mcat(16, [5, 7, 3, 4, 6, 2], width=32, hidden=64).eval()
    mcat.load_published(network, load_file(folder / "state_dict.safetensors"), source="mcat_small")
    genes = torch.cat([inputs[f"group_{j}"] for j in range(6)])[None]
    groups = network.groups(genes)
    assert near(groups[0], expected["group_tokens"])
    seen, scores = network.look(groups[0], inputs["patches"])
    assert near(scores, expected["coattention_scores"])
    assert near(seen, expected["coattended_tokens"])
    read = network.read_slide(seen[None])
    assert near(read.tokens[0], expected["path_transformer_tokens"])
    assert near(read.scores, expected["pool_scores_path"])
    assert near(network.read_groups(groups).scores, expected["pool_scores_omic"])
    hazards = network([inputs["patches"]], genes).sigmoid()
    assert near(hazards, expected["hazards"])
    assert near((1 - hazards).cumprod(dim=1), expected["survival"])
