"""The authors' THItoGene checkpoints: sizes read off the tensors, names turned into ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.pretrained import read_weights
from mclstexp.nn.thitogene import CapsuleEncoder, Sizes, THItoGeneNet

HEAD_DIM = 64
"""Length of a Transformer head in the release; a checkpoint holds only its product with their number."""

_CONVOLUTIONS = tuple(
    (rf"^caps_layer\.{theirs}{number}\.", f"image.primary.stack.{3 * (number - 1) + place}.")
    for number in (1, 2, 3, 4)
    for place, theirs in enumerate(("conv", "batch_norm"))
)
_RENAMED = (
    (r"^(module|model)\.", ""),
    (r"^odconv2d\.", "image.odconv."),
    *_CONVOLUTIONS,
    (r"^caps_layer\.primary_caps\.depthwise_conv\.", "image.primary.depthwise."),
    (r"^caps_layer\.digit_caps\.W$", "image.routing.weight"),
    (r"^caps_layer\.digit_caps\.b$", "image.routing.bias"),
    (r"^x_embed\.", "position.column."),
    (r"^y_embed\.", "position.row."),
    (r"^vit\.transformer\.layers\.(\d+)\.", r"blocks.\1."),
    (r"^blocks\.(\d+)\.0\.norm\.", r"blocks.\1.norm_attention."),
    (r"^blocks\.(\d+)\.0\.fn\.to_qkv\.", r"blocks.\1.attention.to_qkv."),
    (r"^blocks\.(\d+)\.0\.fn\.to_out\.0\.", r"blocks.\1.attention.to_out."),
    (r"^blocks\.(\d+)\.1\.norm\.", r"blocks.\1.norm_feed."),
    (r"^blocks\.(\d+)\.1\.fn\.net\.", r"blocks.\1.feed."),
    (r"^gat\.attention_(\d+)\.", r"graph.heads.\1."),
    (r"^gat\.out_att\.", "graph.out."),
    (r"^(graph\..*)\.W$", r"\1.weight"),
    (r"^(graph\..*)\.a$", r"\1.attention"),
    (r"^gene_head\.", "head."),
)
"""Published key → ours, in this order."""


def load_thitogene(path: Path) -> tuple[THItoGeneNet, Sizes]:
    """Build the published network with the weights of an authors' checkpoint.

    Parameters
    ----------
    path
        A .ckpt or .pt file of tensors, opened with ``weights_only=True``, or .safetensors.

    Raises
    ------
    InputError
        If the file is no such checkpoint.
    """
    return from_weights(read_weights(path), source=str(path))


def from_weights(weights: Mapping[str, Tensor], *, source: str) -> tuple[THItoGeneNet, Sizes]:
    """Build the published network from tensors under the release's key names; see `load_thitogene`."""
    ours = renamed(weights, _RENAMED)
    try:
        sizes = _sizes({name: tuple(tensor.shape) for name, tensor in ours.items()})
    except (KeyError, ValueError) as error:
        msg = (
            f"a checkpoint of the published THItoGene expected in {source}, found one without {error}: "
            "give the file its training script saved"
        )
        raise InputError(msg) from error
    network = THItoGeneNet(CapsuleEncoder(sizes.n_capsules, sizes.capsule_dim, scale=1.0), sizes)
    fill(network, ours, what="the published THItoGene", source=source)
    return network.eval(), sizes


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> Sizes:
    n_capsules, _, _, capsule_dim = shapes["image.routing.weight"]
    return Sizes(
        n_genes=shapes["head.3.weight"][0],
        n_positions=shapes["position.column.weight"][0],
        n_capsules=n_capsules,
        capsule_dim=capsule_dim,
        depth=_count(shapes, "blocks.", place=1),
        n_heads=shapes["blocks.0.attention.to_qkv.weight"][0] // (3 * HEAD_DIM),
        hidden=shapes["blocks.0.feed.0.weight"][0],
        graph_heads=_count(shapes, "graph.heads.", place=2),
        graph_dim=shapes["graph.heads.0.weight"][1],
        graph_out=shapes["graph.out.weight"][1],
        head_hidden=shapes["head.0.weight"][0],
    )


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str, *, place: int) -> int:
    """Count the numbers that stand at one place of the names under `prefix`."""
    return len({name.split(".")[place] for name in shapes if name.startswith(prefix)})
