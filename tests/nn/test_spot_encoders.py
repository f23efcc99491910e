"""The spot encoder sees true neighbours and nothing else."""

import numpy as np
import torch

from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.spot_encoders import NeighbourTransformer

GRID = np.array([[x * 200.0, y * 200.0] for y in range(5) for x in range(5)])


def _encoder(n_blocks=2):
    torch.manual_seed(0)
    encoder = NeighbourTransformer(7, 16, n_blocks=n_blocks, dropout=0.0).eval()
    for block in encoder.blocks:  # away from the start at zero, where attention has no effect yet
        torch.nn.init.normal_(block.out.weight, std=0.3)
        torch.nn.init.normal_(block.feed[-1].weight, std=0.3)
    return encoder


def _inputs(xy=GRID, expression=None):
    near = find_neighbours(xy, n_neighbours=4, radius_um=250)
    if expression is None:
        expression = torch.from_numpy(np.random.default_rng(0).normal(size=(len(xy), 7)).astype(np.float32))
    return expression[near.index], torch.from_numpy(near.offset_um), torch.from_numpy(near.present)


def test_the_embedding_does_not_depend_on_batch_order_or_size():
    encoder, inputs = _encoder(), _inputs()
    whole = encoder(*inputs)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder(*(t[order] for t in inputs)), whole[order])
    torch.testing.assert_close(torch.cat([encoder(*(t[i : i + 1] for t in inputs)) for i in range(25)]), whole)


def test_absent_neighbours_are_not_looked_at():
    encoder = _encoder()
    expression, offset, present = _inputs()
    changed = expression.clone()
    changed[~present] = 1e3
    torch.testing.assert_close(encoder(changed, offset, present), encoder(expression, offset, present))


def test_neighbours_matter_and_strangers_do_not():
    encoder = _encoder()
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(25, 7)).astype(np.float32))
    before = encoder(*_inputs(expression=values))
    values[12] += 1  # the centre; its four neighbours see it
    moved = (encoder(*_inputs(expression=values)) - before).abs().amax(dim=1) > 1e-6
    assert set(np.flatnonzero(moved.numpy())) == {12, 7, 11, 13, 17}


def test_a_shifted_section_gives_the_same_embeddings():
    encoder = _encoder()
    torch.testing.assert_close(encoder(*_inputs(GRID + 5000)), encoder(*_inputs()))


def test_the_untrained_encoder_is_linear_in_the_spots_own_expression():
    torch.manual_seed(0)
    encoder = NeighbourTransformer(7, 16, n_blocks=2).eval()
    expression, offset, present = _inputs()
    torch.testing.assert_close(encoder(expression, offset, present), encoder.embed(expression[:, 0]))


def test_dropout_works_in_training_only():
    encoder = NeighbourTransformer(7, 16, dropout=0.5)
    inputs = _inputs()
    assert not torch.equal(encoder.train()(*inputs), encoder(*inputs))
    assert torch.equal(encoder.eval()(*inputs), encoder(*inputs))
