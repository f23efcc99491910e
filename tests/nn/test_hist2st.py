"""Hist2ST's network: equal to the release once its keys are renamed, of its size, and never NaN."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.hist2st import Hist2STNet, MixerBlock, MixerEmbedding, load_hist2st
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.nn.zinb import zinb_loss


def small_net(n_genes=13):
    size = {"dim": 64, "depth": 2, "graph_depth": 3, "n_heads": 2, "head_dim": 64, "hidden": 64, "dropout": 0.2}
    return Hist2STNet(MixerEmbedding(28, scale=1.0), n_genes=n_genes, n_positions=64, **size).eval()


def relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture
def release(parity_dir):
    folder = parity_dir / "hist2st_small"
    given, expected = (load_file(folder / f"{name}.safetensors") for name in ("inputs", "outputs"))
    return folder / "state_dict.safetensors", given, expected


@pytest.mark.data
def test_the_release_and_the_import_agree(release):
    checkpoint, given, expected = release
    model = small_net()
    load_hist2st(model, checkpoint)
    neighbours = torch.stack([row.nonzero().ravel() for row in expected["adjacency"]])
    present = torch.ones_like(neighbours, dtype=torch.bool)
    # patches are stored as the network of the release sees them: turned here, turned back by ours
    inputs = SlideInputs(given["patches"].transpose(-1, -2), given["centers"], neighbours=neighbours, present=present)
    with torch.no_grad():
        found = model(inputs)
        loss = zinb_loss(given["counts"], found.counts, size_factor=given["size_factors"])
    assert relative(found.expression, expected["prediction"]) < 1e-5
    assert relative(found.hidden, expected["hidden"]) < 1e-5
    assert relative(found.counts.mean, expected["mean"]) < 1e-5
    assert relative(found.counts.dispersion, expected["dispersion"]) < 1e-5
    assert relative(found.counts.dropout, expected["dropout_pi"]) < 1e-5
    assert relative(loss, expected["zinb_loss"]) < 1e-5
    assert relative(functional.mse_loss(found.expression, given["expression"]), expected["mse"]) < 1e-5


@pytest.mark.data
def test_the_graph_is_the_releases_but_for_ties(release):
    _, given, expected = release
    xy = given["centers"].double().numpy()
    near = find_neighbours(xy, n_neighbours=4, radius_um=2.0)
    away = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    for row, theirs in enumerate(expected["adjacency"].numpy() > 0):
        ours = near.index[row, 1:][near.present[row, 1:]]
        np.testing.assert_allclose(np.sort(away[row, ours]), np.sort(away[row, theirs]))


@pytest.mark.data
def test_the_size_factors_are_the_releases(release):
    _, given, _ = release
    totals = given["counts"].sum(dim=1)
    torch.testing.assert_close(totals / totals.median(), given["size_factors"])


@pytest.mark.data
def test_a_checkpoint_with_the_layer_of_distillation_fills_it(release, tmp_path):
    weights = load_file(release[0])
    theirs = {"coef.0": (64, 64), "coef.2": (1, 64)}
    for name, shape in theirs.items():
        weights |= {f"{name}.weight": torch.full(shape, 0.5), f"{name}.bias": torch.zeros(shape[0])}
    save_file(weights, tmp_path / "with_coef.safetensors")
    model = small_net()
    load_hist2st(model, tmp_path / "with_coef.safetensors")
    assert (model.confidence[0].weight == 0.5).all()
    del weights["coef.0.weight"]
    save_file(weights, tmp_path / "broken.safetensors")
    with pytest.raises(InputError, match=r"published Hist2ST expected"):
        load_hist2st(model, tmp_path / "broken.safetensors")


@pytest.mark.data
def test_a_checkpoint_of_another_panel_is_refused(release):
    with pytest.raises(InputError, match=r"published Hist2ST expected .* of another shape"):
        load_hist2st(small_net(n_genes=5), release[0])


def test_the_published_network_has_76_million_parameters():
    size = {"dim": 1024, "depth": 8, "graph_depth": 4, "n_heads": 16, "head_dim": 64, "hidden": 1024, "dropout": 0.2}
    with torch.device("meta"):
        image = MixerEmbedding(112)
        model = Hist2STNet(image, n_genes=785, n_positions=64, **size)
    assert image.dim == 1024
    assert sum(p.numel() for p in model.parameters()) == 75_789_833


def test_a_lone_tile_is_predicted_and_teaches_no_nan():
    model = small_net()
    inputs = SlideInputs(
        torch.rand(3, 3, 28, 28),
        torch.tensor([[1, 1], [1, 2], [30, 30]]),
        neighbours=torch.tensor([[1], [0], [2]]),
        present=torch.tensor([[True], [True], [False]]),
    )
    predicted = model(inputs).expression
    assert torch.isfinite(predicted).all()
    predicted.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_a_mixer_block_skips_over_its_depthwise_part_alone():
    block = MixerBlock(2).eval()
    with torch.no_grad():
        for layer in block.depthwise:
            for parameter in layer.parameters():
                parameter.zero_()
        maps = torch.rand(1, 2, 5, 5)
        torch.testing.assert_close(block(maps), block.pointwise(maps))
