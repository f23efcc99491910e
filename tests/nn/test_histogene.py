"""HisToGene's network: equal to the release once its keys are renamed, and of its size."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.histogene import HisToGeneNet, PixelEmbedding, load_histogene
from mclstexp.nn.slide_inputs import SlideInputs


def small_net(n_genes=17):
    size = {"dim": 64, "depth": 2, "n_heads": 16, "head_dim": 64, "hidden": 128, "dropout": 0.1}
    return HisToGeneNet(PixelEmbedding(8, 64, scale=1.0), n_genes=n_genes, n_positions=64, **size)


def relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.data
def test_the_release_and_the_import_agree(parity_dir):
    folder = parity_dir / "histogene_small"
    given, expected = (load_file(folder / f"{name}.safetensors") for name in ("inputs", "outputs"))
    model = small_net().eval()
    load_histogene(model, folder / "state_dict.safetensors")
    # the release flattens (column, row, channel): undone here, done again by the network
    pixels = given["patches"].to(torch.uint8).view(-1, 8, 8, 3).permute(0, 3, 2, 1)
    none = torch.zeros(len(pixels), 0)
    predicted = model(SlideInputs(pixels, given["centers"], neighbours=none.long(), present=none.bool()))
    loss = functional.mse_loss(predicted, given["expression"])
    loss.backward()
    with torch.no_grad():
        assert relative(predicted, expected["prediction"]) < 1e-5
        assert relative(loss, expected["loss"]) < 1e-5
        assert relative(model.gene_head[1].weight.grad, expected["grad_gene_head"]) < 1e-5


@pytest.mark.data
def test_a_checkpoint_of_another_panel_is_refused(parity_dir):
    with pytest.raises(InputError, match=r"published HisToGene expected .* 2 of another shape"):
        load_histogene(small_net(n_genes=5), parity_dir / "histogene_small" / "state_dict.safetensors")


def test_a_file_of_something_else_is_refused(tmp_path):
    save_file({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="published HisToGene expected"):
        load_histogene(small_net(), tmp_path / "other.safetensors")


def test_the_published_network_has_107_million_parameters():
    dim, genes, positions, mlp = 1024, 785, 64, 2048
    block = dim * 3 * 1024 + (1024 * dim + dim) + 2 * 2 * dim + (dim * mlp + mlp) + (mlp * dim + dim)
    expected = (3 * 112**2 * dim + dim) + 2 * positions * dim + 8 * block + 2 * dim + dim * genes + genes
    with torch.device("meta"):
        size = {"dim": dim, "depth": 8, "n_heads": 16, "head_dim": 64, "hidden": mlp, "dropout": 0.1}
        model = HisToGeneNet(PixelEmbedding(112, dim), n_genes=genes, n_positions=positions, **size)
    assert sum(p.numel() for p in model.parameters()) == expected == 106_648_337


def test_pixels_are_flattened_by_column_then_row_then_channel():
    pixels = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)  # channel, row, column
    embedding = PixelEmbedding(2, 12, scale=1.0)
    with torch.no_grad():
        embedding.project.weight.copy_(torch.eye(12))
        embedding.project.bias.zero_()
        np.testing.assert_array_equal(embedding(pixels)[0], [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11])
