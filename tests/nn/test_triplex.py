"""TRIPLEX's parts by hand: loss, bias by offset, positions on small grids; then the whole, tile by tile."""

import numpy as np
import pytest
import torch

from mclstexp.nn.triplex import (
    PositionGenerator,
    RelativeBias,
    Triplex,
    TriplexInputs,
    TriplexOutput,
    TriplexSizes,
    triplex_loss,
)

TINY = TriplexSizes(dim=8, n_side=3, depths=(1, 2, 1), heads=(2, 2, 2))


def test_the_loss_by_hand():
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    fused = torch.tensor([[1.0, 1.0], [0.0, 1.0]])  # one of four is off by 1
    zero, same = torch.zeros(2, 2), truth.clone()
    output = TriplexOutput(fused=fused, branches=(zero, same))
    # 1/4 + [0.7 · 2/4 + 0.3 · 3/4] + [0.7 · 0 + 0.3 · 1/4]
    assert triplex_loss(output, truth).item() == pytest.approx(0.25 + 0.35 + 0.225 + 0.075)
    assert triplex_loss(output, truth, alpha=0.0).item() == pytest.approx(0.25 + 0.5)


def test_gradients_flow_through_both_sides_of_the_distance():
    fused, branch = (torch.full((2, 2), value, requires_grad=True) for value in (1.0, 3.0))
    triplex_loss(TriplexOutput(fused=fused, branches=(branch,)), torch.ones(2, 2)).backward()
    # d/dŷ of 0.3 · mean (ŷ - ŷ_b)² is 0.3 · 2 · (1 - 3) / 4
    np.testing.assert_allclose(fused.grad, np.full((2, 2), -0.3), rtol=1e-6)
    np.testing.assert_allclose(branch.grad, np.full((2, 2), 0.3 + 0.7), rtol=1e-6)


def test_equal_offsets_share_one_bias_and_opposite_ones_are_mirrored():
    bias = RelativeBias(3, 2)
    n_offsets = len(bias.table)
    assert n_offsets == 25
    index = bias.index
    # place 0 to 1, 4 to 5, 7 to 8: one step right
    assert index[0, 1] == index[4, 5] == index[7, 8]
    assert len(set(index.flatten().tolist())) == n_offsets
    assert torch.equal(index.T, n_offsets - 1 - index)
    with torch.no_grad():
        bias.table.copy_(torch.arange(50.0).reshape(25, 2))
        symmetric = (bias.table + bias.table.flip(0)) / 2
        bias.table.copy_(symmetric)
    assert bias().shape == (1, 2, 9, 9)
    assert torch.equal(bias(), bias().transpose(2, 3))


def test_positions_on_a_grid_of_three_by_hand():
    generator = PositionGenerator(1)
    with torch.no_grad():
        # rows of the kernel: above, same row, below
        generator.mix.weight.copy_(torch.tensor([[0.0, 1, 0], [2, 3, 4], [0, 5, 0]]).reshape(1, 1, 3, 3))
        generator.mix.bias.fill_(0.5)
        tokens = torch.tensor([[1.0], [10.0], [100.0]])
        # 1 at the corner, 10 right of it, 100 below it
        out = generator(tokens, torch.tensor([[7, 4], [8, 4], [7, 5]]))
    by_hand = [1 + 3 + 4 * 10 + 5 * 100, 10 + 30 + 2 * 1, 100 + 300 + 1 * 1]
    np.testing.assert_allclose(out[:, 0], np.array(by_hand) + 0.5)


@torch.no_grad()
def test_only_neighbouring_cells_matter_not_the_grids_size_nor_its_start():
    torch.manual_seed(0)
    generator, tokens = PositionGenerator(4), torch.randn(5, 4)
    position = torch.tensor([[0, 0], [1, 0], [0, 1], [5, 5], [5, 6]])
    whole = generator(tokens, position)
    torch.testing.assert_close(generator(tokens, position + torch.tensor([30, -2])), whole)
    torch.testing.assert_close(generator(tokens[:3], position[:3]), whole[:3])
    torch.testing.assert_close(generator(tokens[3:], position[3:]), whole[3:])


@torch.no_grad()
def test_tokens_of_one_cell_are_averaged_in_any_order():
    torch.manual_seed(0)
    generator, tokens = PositionGenerator(4), torch.randn(3, 4)
    position = torch.tensor([[0, 0], [0, 0], [1, 0]])
    out = generator(tokens, position)
    order = [2, 1, 0]
    torch.testing.assert_close(generator(tokens[order], position[order]), out[order])


def _inputs(seed=0, *, n_tiles=(6, 4)):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    total = sum(n_tiles)
    slides = tuple((draw(n, 5), torch.randint(0, 4, (n, 2), generator=generator)) for n in n_tiles)
    return TriplexInputs(parts=draw(total, 4, 5), around=draw(total, 9, 5), slide_of=torch.arange(total), slides=slides)


@torch.no_grad()
def test_rows_follow_their_tiles_and_slides_do_not_mix():
    model = Triplex.build(5, 3, sizes=TINY, seed=0).eval()
    inputs = _inputs()
    out = model(inputs)
    assert out.fused.shape == (10, 3)
    assert [branch.shape for branch in out.branches] == [(10, 3)] * 3
    alone = TriplexInputs(
        parts=inputs.parts[6:], around=inputs.around[6:], slide_of=torch.arange(4), slides=inputs.slides[1:]
    )
    torch.testing.assert_close(model(alone).fused, out.fused[6:])
    order = torch.randperm(6)
    features, position = inputs.slides[0]
    turned = TriplexInputs(
        parts=inputs.parts[order],
        around=inputs.around[order],
        slide_of=torch.arange(6),
        slides=((features[order], position[order]),),
    )
    torch.testing.assert_close(model(turned).fused, out.fused[:6][order])


@torch.no_grad()
def test_every_input_reaches_the_prediction_and_dropout_is_off():
    model = Triplex.build(5, 3, sizes=TINY, seed=0).eval()
    inputs = _inputs()
    before = model(inputs).fused
    torch.testing.assert_close(model(inputs).fused, before, rtol=0, atol=0)
    for name in ("parts", "around"):
        changed = getattr(inputs, name).clone()
        changed[2] += torch.randn(changed[2].shape)
        moved = (model(TriplexInputs(**{**vars(inputs), name: changed})).fused != before).any(dim=1)
        assert moved.nonzero().flatten().tolist() == [2]
    features = inputs.slides[1][0].clone()
    features[0] += 1
    slides = (inputs.slides[0], (features, inputs.slides[1][1]))
    moved = (model(TriplexInputs(**{**vars(inputs), "slides": slides})).fused != before).any(dim=1)
    assert moved.tolist() == [False] * 6 + [True] * 4  # a whole slide, and no other


def test_one_seed_gives_one_network_and_leaves_the_callers_numbers_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    one, other = (Triplex.build(5, 3, sizes=TINY, seed=1).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_published_size():
    in_dim, n_genes, dim = 512, 250, 512
    with torch.device("meta"):
        model = Triplex(in_dim, n_genes, sizes=TriplexSizes())
    linear = lambda i, o: i * o + o  # noqa: E731
    norm = 2 * dim
    attention = 3 * dim * dim + linear(dim, dim)
    feed = {ratio: linear(dim, ratio * dim) + linear(ratio * dim, dim) for ratio in (1, 4)}
    fusion = 3 * norm + attention + 3 * dim + feed[4]
    expected = 3 * linear(in_dim, dim) + fusion
    expected += 3 * (2 * norm + attention + feed[4]) + 3 * (2 * norm + attention + feed[1])
    expected += 81 * 16 + linear(9, 1) * dim + 3 * norm + 4 * linear(dim, n_genes)
    assert sum(p.numel() for p in model.parameters()) == expected
