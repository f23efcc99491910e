"""Hist2ST: its loss put together by hand, lone tiles, the released weights as a method, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from mclstexp import load_model, save_model
from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.nn.hist2st import Hist2STNet, MixerEmbedding
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.nn.zinb import zinb_loss
from mclstexp.training.augment import as_hist2st
from mclstexp.training.hist2st import Hist2STLoss
from mclstexp.training.slides import SlideTruth
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "epochs": 2, "dim": 8, "depth": 1, "n_heads": 2, "head_dim": 4, "mlp_dim": 16}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


@pytest.fixture
def network():
    torch.manual_seed(0)
    size = {"dim": 8, "depth": 1, "graph_depth": 2, "n_heads": 2, "head_dim": 4, "hidden": 8, "dropout": 0.0}
    return Hist2STNet(MixerEmbedding(14, n_channels=16, depth=1), n_genes=3, n_positions=8, **size).eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 3, 14, 14), generator=generator, dtype=torch.uint8)
    position = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    neighbours = torch.tensor([[1, 2], [0, 3], [0, 3], [1, 2]])
    counts = torch.randint(0, 9, (4, 3), generator=generator).float()
    truth = SlideTruth(torch.log1p(counts), counts, size_factor=torch.tensor([0.5, 1.0, 1.0, 2.0]))
    return SlideInputs(pixels, position, neighbours=neighbours, present=torch.ones(4, 2, dtype=torch.bool)), truth


def test_the_loss_is_its_three_parts(network, batch):
    inputs, truth = batch
    mean, spread = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([2.0, 1.0, 0.5])
    torch.manual_seed(3)
    found = Hist2STLoss(mean, spread, n_augmented=2)(network, inputs, truth)
    torch.manual_seed(3)
    plain = network(inputs)
    passes = [network(replace(inputs, image=as_hist2st(inputs.image))) for _ in range(2)]
    first = torch.sigmoid(passes[0].confidence - passes[1].confidence)
    teacher = first * passes[0].expression + (1 - first) * passes[1].expression
    expected = (
        functional.mse_loss(plain.expression, (truth.expression - mean) / spread)
        + 0.25 * zinb_loss(truth.counts, plain.counts, size_factor=truth.size_factor)
        + 0.5 * functional.mse_loss(plain.expression, teacher)
    )
    torch.testing.assert_close(found, expected)


def test_weights_of_zero_leave_the_squared_error(network, batch):
    inputs, truth = batch
    criterion = Hist2STLoss(torch.zeros(3), torch.ones(3), zinb_weight=0.0, distil_weight=0.0)
    expected = functional.mse_loss(network(inputs).expression, truth.expression)
    torch.testing.assert_close(criterion(network, inputs, truth), expected)


def test_a_section_is_turned_as_a_whole():
    image = torch.randint(0, 256, (1, 3, 14, 14), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        turned = as_hist2st(image.expand(5, -1, -1, -1))
    assert (turned == turned[:1]).all()
    assert (turned[0] != image[0]).any()


def test_a_lone_spot_is_learnt_from_and_predicted(sections):
    alone = replace(sections[0], tiles=replace(sections[0].tiles, array_xy=sections[0].tiles.array_xy * 5))
    model = create("hist2st", **SMALL).fit([alone])
    assert np.isfinite(model.predict(alone.tiles).X).all()


def test_imported_weights_are_kept_as_they_are(sections, tmp_path):
    pixels = {"patch_px": 14, "n_channels": 16, "mixer_depth": 1, "graph_depth": 2}
    options = SMALL | pixels
    path = tmp_path / "released.safetensors"
    torch.manual_seed(0)
    size = {"dim": 8, "depth": 1, "graph_depth": 2, "n_heads": 2, "head_dim": 4, "hidden": 16}
    image = MixerEmbedding(14, n_channels=16, depth=1)
    save_file(_released_names(Hist2STNet(image, n_genes=30, n_positions=64, **size).state_dict()), path)
    one, other = (
        create("hist2st", preset="published", **options, checkpoint=str(path)).fit(sections[i : i + 1]) for i in (0, 1)
    )
    predicted = one.predict(sections[2].tiles).X
    np.testing.assert_array_equal(other.predict(sections[2].tiles).X, predicted)
    loaded = load_model(save_model(one, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(sections[2].tiles).X, predicted)


def _released_names(weights):
    names = [
        ("image.cut.", "patch_embedding."),
        ("image.mixers.0.depthwise.", "vit.transformer.layer1.0.dw."),
        ("image.mixers.0.pointwise.", "vit.transformer.layer1.0.pw."),
        ("image.narrow.", "vit.transformer.down.0."),
        ("position.column.", "x_embed."),
        ("position.row.", "y_embed."),
        ("blocks.0.norm_attention.", "vit.transformer.layer2.0.attn.norm."),
        ("blocks.0.attention.to_qkv.", "vit.transformer.layer2.0.attn.fn.to_qkv."),
        ("blocks.0.attention.to_out.", "vit.transformer.layer2.0.attn.fn.to_out.0."),
        ("blocks.0.norm_feed.", "vit.transformer.layer2.0.ff.norm."),
        ("blocks.0.feed.", "vit.transformer.layer2.0.ff.fn.net."),
        ("graph_layers.0.linear.", "vit.transformer.layer3.0."),
        ("graph_layers.1.linear.", "vit.transformer.layer3.1."),
        ("jump.", "vit.transformer.jknet.0."),
        ("counts.mean.", "mean.0."),
        ("counts.dispersion.", "disp.0."),
        ("counts.dropout.", "pi.0."),
        ("confidence.", "coef."),
    ]
    theirs = {}
    for name, tensor in weights.items():
        ours, released = next(((o, r) for o, r in names if name.startswith(o)), ("", ""))
        theirs[released + name.removeprefix(ours)] = tensor.clone()
    return theirs


@pytest.mark.data
def test_the_names_are_the_releases(parity_dir):
    released = load_file(parity_dir / "hist2st_small" / "state_dict.safetensors")
    size = {"dim": 64, "depth": 1, "graph_depth": 2, "n_heads": 2, "head_dim": 64, "hidden": 64}
    network = Hist2STNet(MixerEmbedding(28, depth=1), n_genes=13, n_positions=64, **size)
    named = {name for name in _released_names(network.state_dict()) if not name.startswith("coef.")}
    assert named <= set(released)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graph_depth": 0}, "graph_depth must be at least 1, found 0"),
        ({"optimiser": "sgd"}, "must be 'adamw' or 'adam', found 'sgd'"),
        ({"image": "pixels"}, r"expects dim = .* found 128 and 1024: set dim to 1024"),
        ({"checkpoint": "file.pt"}, 'give preset="published" with it'),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        create("hist2st", **options)
