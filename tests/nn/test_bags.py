"""Networks of bags: gated attention, co-attention, and the hierarchy over it."""

import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.nn import gated_attention, mcat
from mclstexp.nn.gated_attention import Abmil
from mclstexp.nn.himt import Himt
from mclstexp.nn.mcat import Coattention, Mcat
from mclstexp.nn.softmax_sum import softmax_sum
from mclstexp.nn.survival_losses import cox_loss


def near(found, expected, tolerance=1e-4):
    gap = (found.detach() - expected.reshape(found.shape)).abs().max()
    return float(gap) <= tolerance * max(float(expected.abs().max()), 1e-3)


def test_a_bag_read_in_chunks_is_the_bag():
    torch.manual_seed(0)
    network = Abmil(6, width=8, hidden=4, n_out=2).eval()
    bag = 30 * torch.randn(50, 6)
    scores, alone = network.weigh(bag)
    expected = scores.softmax(dim=0) @ alone
    found = network([[bag], bag.split(7), bag.flip(0).split(13)])
    assert torch.allclose(found, expected.expand(3, 2), atol=1e-5)


def test_slopes_through_chunks_are_those_of_a_softmax():
    draw = torch.Generator().manual_seed(0)
    scores = (5 * torch.randn(2, 9, generator=draw)).double().requires_grad_()
    patches = torch.randn(9, 3, generator=draw).double().requires_grad_()

    def streamed(scores, patches):
        return softmax_sum(zip(scores.split(4, dim=1), patches.split(4), strict=True))

    assert torch.allclose(streamed(scores, patches), scores.softmax(dim=1) @ patches)
    assert torch.autograd.gradcheck(streamed, (scores, patches))


def test_coattention_is_attention_of_one_head():
    torch.manual_seed(0)
    ours, theirs = Coattention(8), torch.nn.MultiheadAttention(8, 1, batch_first=True)
    parts = (ours.to_query, ours.to_key, ours.to_value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.to_out.state_dict())
        groups, patches = torch.randn(3, 8), torch.randn(11, 8)
        seen, scores = ours(groups, patches.split(4)), ours.scores(groups, patches)
        expected, weights = theirs(groups[None], patches[None], patches[None])
    assert torch.allclose(seen, expected[0], atol=1e-6)
    assert torch.allclose(scores.softmax(dim=1), weights[0], atol=1e-6)


def levels(seed):
    draw = torch.Generator().manual_seed(seed)
    return [[torch.randn(n, 6, generator=draw)] for n in (4, 9, 20)]


def test_the_hierarchy_reads_each_level_and_what_the_coarser_one_saw():
    torch.manual_seed(0)
    network = Himt(6, [2, 3], width=16, hidden=8).eval()
    genes = torch.randn(2, 5)
    bags = [levels(0), levels(1)]
    both = network(bags, genes)
    assert both.shape == (2, 4)
    assert torch.allclose(network(bags[1:], genes[1:]), both[1:], atol=1e-6)
    groups = network.groups(genes)[0]
    before = network.look(groups, bags[0])
    after = network.look(groups, [[bags[0][0][0] + 1], *bags[0][1:]])
    assert float((before - after).detach().abs().amax(dim=(1, 2)).min()) > 1e-4
    fine = network.look(groups, [*bags[0][:2], [bags[0][2][0] + 1]])
    assert torch.equal(fine[:2], before[:2])
    both.sum().backward()
    # a constant added to all scores moves no softmax
    learnt = [part for name, part in network.named_parameters() if not name.endswith(("to_key.bias", "score.bias"))]
    assert all(float(part.grad.abs().sum()) > 0 for part in learnt)


def test_order_of_patches_does_not_count():
    torch.manual_seed(0)
    network = Mcat(6, [2, 3], width=16, hidden=8).eval()
    bag, genes = torch.randn(20, 6), torch.randn(1, 5)
    assert torch.allclose(network([[bag]], genes), network([[bag.flip(0)]], genes), atol=1e-6)


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
    bags = [patches[real > 0] for patches, real in zip(inputs["patches"], inputs["mask"], strict=True)]
    logits = network([[bag] for bag in bags])
    assert near(logits, expected["logits"])
    for bag, weights, vector in zip(bags, expected["attention"], expected["bag_embedding"], strict=True):
        own = network.weigh(bag)[0].softmax(dim=0)
        assert near(own, weights[0, : len(bag)])
        assert near(own @ network.project(bag), vector)
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
    patches = inputs["patches"]
    seen = network.look(groups[0], [patches])
    assert near(network.coattention.scores(groups[0], network.project(patches)), expected["coattention_scores"])
    assert near(seen, expected["coattended_tokens"])
    read = network.read_slide(seen[None])
    assert near(read.tokens[0], expected["path_transformer_tokens"])
    assert near(read.scores, expected["pool_scores_path"])
    assert near(network.read_groups(groups).scores, expected["pool_scores_omic"])
    hazards = network([[patches]], genes).sigmoid()
    assert near(hazards, expected["hazards"])
    assert near((1 - hazards).cumprod(dim=1), expected["survival"])
