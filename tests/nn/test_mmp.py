"""MMP's network: transport and attention worked by hand, and the numbers of the released one."""

import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.nn.mmp import MmpForm, PublishedMmp, load_published
from mclstexp.nn.survival_losses import hazard_loss, hazard_risk
from mclstexp.nn.token_attention import TokenAttention
from mclstexp.nn.transformer import Attention
from mclstexp.nn.transport import balanced_plan, relative_cost, unbalanced_plan


def near(found, expected, tolerance=1e-4):
    gap = (found.detach() - expected.reshape(found.shape)).abs().max()
    return float(gap) <= tolerance * max(float(expected.abs().max()), 1e-3)


def test_unbalanced_transport_of_two_by_two():
    plan = unbalanced_plan(torch.tensor([[0.0, 1], [1, 0]], dtype=torch.float64))
    expected = torch.tensor([[0.469446, 2.131e-5], [2.131e-5, 0.469446]], dtype=torch.float64)
    assert torch.allclose(plan, expected, rtol=1e-4, atol=1e-9)


def test_a_plan_of_one_is_its_row_in_a_batch():
    draw = torch.Generator().manual_seed(0)
    first, second = torch.rand(5, 4, 3, generator=draw), torch.rand(5, 2, 3, generator=draw)
    plans = unbalanced_plan(relative_cost(first, second))
    assert torch.equal(plans[2:3], unbalanced_plan(relative_cost(first[2:3], second[2:3])))


def test_near_patches_are_brought_to_a_prototype():
    patches = torch.tensor([[0.1, 0], [0, 0.1], [3.9, 0.1], [4, 0]])
    prototypes = torch.tensor([[0.0, 0], [4, 0]])
    plan = balanced_plan(torch.cdist(patches, prototypes).square())
    tokens = plan.T @ patches
    assert torch.allclose(tokens, torch.tensor([[0.05, 0.05], [3.95, 0.05]]), atol=1e-5)
    assert torch.allclose(plan.sum(dim=0), torch.ones(2), atol=1e-6)


def test_distances_no_exponential_can_hold():
    squared = torch.tensor([[1e5, 4e5], [3e5, 1e5], [2e5, 2.5e5]])
    assert torch.isfinite(balanced_plan(squared)).all()


def attention_of(scores, n_pathways, **how):
    """Return the weights of an attention whose raw scores are given: queries the scores' rows, keys the axes."""
    n = len(scores)
    layer = TokenAttention(2 * n, **how)
    layer.norm = torch.nn.Identity()
    weight = torch.zeros(3 * n, 2 * n)
    weight[:n, :n] = torch.eye(n) * n**0.5
    weight[n : 2 * n, n:] = torch.eye(n)
    layer.to_qkv.weight.data = weight
    tokens = torch.cat([scores, torch.eye(n)], dim=1)[None]
    _, found = layer(tokens, n_pathways)
    assert torch.allclose(found.raw[0], scores, atol=1e-5)
    return found.weights[0]


def test_the_released_softmax_can_hardly_choose_a_pathway():
    scores = torch.tensor([[0.0, 0, 0], [0, 0, 0], [8.0, 0, 0]])  # the third is a prototype, fond of the first pathway
    ours, theirs = (attention_of(scores, 2, released_softmax=released) for released in (False, True))
    assert torch.allclose(ours, scores.softmax(dim=1), atol=1e-6)
    twice = torch.tensor([0.999665, 0.000335, 0]).softmax(dim=0)
    assert torch.allclose(theirs[2], twice, atol=1e-5)
    assert torch.equal(theirs[:2], ours[:2])


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("own", [[1, 1, 0], [1, 1, 0], [0, 0, 1]]),
        ("across", [[0, 0, 1], [0, 0, 1], [1, 1, 0]]),
        ("partial", [[1, 1, 1], [1, 1, 1], [1, 1, 0]]),
    ],
)
def test_who_looks_at_whom(mode, seen):
    weights = attention_of(torch.zeros(3, 3), 2, mode=mode)
    assert torch.equal(weights > 0, torch.tensor(seen).bool())


def test_weights_of_another_network_are_refused():
    with pytest.raises(InputError, match="the published MMP expected in here"):
        load_published(PublishedMmp([2, 3], 4, 5), {"classifier.weight": torch.zeros(1, 4)}, source="here")


def test_codes_of_kinds_and_no_codes():
    for code, dim in (("modality", 26), ("none", 24)):
        network = PublishedMmp([2, 3], 4, 5, form=MmpForm(width=24, code=code))
        assert network(torch.rand(3, 4, 5), torch.rand(3, 5)).shape == (3, 1)
        assert network.attention.to_qkv.in_features == dim


FORMS = {
    "transformer_cox": {},
    "transformer_nll": {},
    "histology_only_cox": {"looks_at": "slide"},
    "pathway_only_cox": {"looks_at": "pathways"},
    "onehot_shared_ffn_cat_cox": {"code": "one_hot", "own_feed": False, "pooling": "joined"},
    "late_fusion_cox": {"fusion": "late"},
    "ot_cox": {"fusion": "transport"},
}
RENAMED = {
    "classifier.weight": "head.weight",
    "gene_embedding": "codes.pathways",
    "histo_embedding": "codes.slide",
    "path_proj_net.0.bias": "project.bias",
    "sig_networks.0.0.0.weight": "pathways.networks.0.0.0.weight",
}


def cox_as_released(risk, time, event):
    """Return the released loss, in which a tie's risk set depends on the order of rows."""
    order = torch.argsort(-time)
    risk, event = risk[order], event[order]
    return -((risk - torch.logcumsumexp(risk, dim=0)) * event).sum() / event.sum()


def released(folder, name):
    inputs = load_file(folder / "inputs.safetensors")
    weights = load_file(folder / f"{name}.state_dict.safetensors")
    n_out = 4 if name.endswith("nll") else 1
    form = MmpForm(width=24, **FORMS[name])
    network = PublishedMmp([5, 7, 3], 4, 17, form=form, n_out=n_out, dropout=0)
    load_published(network, weights, source=name)
    genes = torch.cat([inputs[f"pathway_{j}"] for j in range(3)], dim=1)
    time, event = inputs["time"][:, 0], inputs["censored"][:, 0] == 0
    bins = inputs["time_bin"][:, 0].long()

    def loss():
        logits = network(inputs["slide_tokens"], genes)
        return hazard_loss(logits, bins, event, alpha=0.5) if n_out == 4 else cox_as_released(logits[:, 0], time, event)

    return network, inputs["slide_tokens"], genes, loss


@pytest.mark.data
@pytest.mark.parametrize("name", FORMS)
def test_numbers_of_the_release(parity_dir, name):
    folder = parity_dir / "mmp_small"
    expected = load_file(folder / f"{name}.outputs.safetensors")
    network, tokens, genes, loss = released(folder, name)
    tolerance = 1e-3 if name == "ot_cox" else 1e-4
    found = network.judged(tokens, genes)
    assert near(found.logits, expected["logits"], tolerance)
    risk = hazard_risk(found.logits) if name.endswith("nll") else found.logits.exp()
    assert near(risk, expected["risk"], tolerance)
    if "scores_pathway_histology" in expected:
        assert near(found.scores.pathways_to_slide, expected["scores_pathway_histology"])
        assert near(found.scores.slide_to_pathways, expected["scores_histology_pathway"])
        # where pathways look at each other alone, what is kept is already a softmax
        own = found.scores.weights if "looks_at" in FORMS[name] else found.scores.raw
        assert near(own[:, :3, :3], expected["scores_pathway_pathway"])
    loss().backward()
    assert near(loss(), expected["loss"], tolerance)
    parts = dict(network.named_parameters())
    for theirs, ours in RENAMED.items():
        if (wanted := expected.get(f"grad.{theirs}")) is not None:
            slope = parts[ours].grad
            assert near(torch.zeros_like(wanted) if slope is None else slope, wanted, tolerance), theirs


@pytest.mark.data
@pytest.mark.parametrize("name", FORMS)
def test_three_steps_of_the_release(parity_dir, name):
    folder = parity_dir / "mmp_small"
    network, _, _, loss = released(folder, name)
    named = list(network.named_parameters())
    plain = [p for n, p in named if p.ndim >= 2 and not any(part in n for part in ("bn", "ln", "bias"))]
    rest = [p for _, p in named if not any(p is q for q in plain)]
    groups = [{"params": plain, "weight_decay": 1e-2}, {"params": rest, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=1e-3)
    found = []
    for _ in range(3):
        adam.zero_grad()
        value = loss()
        value.backward()
        adam.step()
        found.append(value.detach())
    expected = load_file(folder / f"{name}.outputs.safetensors")["train_losses"]
    assert near(torch.stack(found), expected, 1e-3)


def test_weights_of_attention_are_those_that_it_uses():
    attention, tokens = Attention(8, n_heads=2, head_dim=4).eval(), torch.randn(3, 5, 8)
    weights = attention.weights(tokens)
    assert weights.sum(dim=-1).sub(1).abs().max() < 1e-6
    value = attention.to_qkv(tokens).view(3, 5, 3, 2, 4)[:, :, 2].transpose(1, 2)
    attended = (weights @ value).transpose(1, 2).reshape(3, 5, 8)
    assert torch.allclose(attention.to_out(attended), attention(tokens), atol=1e-6)
