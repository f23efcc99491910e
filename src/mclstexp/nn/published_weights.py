"""The authors' checkpoints: opened safely, renamed, position tables cut to the rows that can occur."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.nn.pretrained import read_weights
from mclstexp.nn.published import PublishedModel, as_released

_RENAMED = (
    (r"^module\.", ""),
    (r"^well_", "spot_"),  # the name BLEEP gave its spots, left over in some files
    (r"^x_embed\.", "position.column."),
    (r"^y_embed\.", "position.row."),
    (r"^image_encoder\.model\.0\.", "image_encoder.network.features."),
    (r"\.attn\.norm\.", ".norm_attention."),
    (r"\.attn\.fn\.to_qkv\.", ".attention.to_qkv."),
    (r"\.attn\.fn\.to_out\.0\.", ".attention.to_out."),
    (r"\.ff\.norm\.", ".norm_feed."),
    (r"\.ff\.fn\.net\.", ".feed."),
    (r"_projection\.layer_norm\.", "_projection.norm."),
)
"""Published key → ours (ALGORITHMS: state dict of the release)."""

_TABLES = ("position.column.weight", "position.row.weight")


def load_published(path: Path, *, n_positions: int | None = None) -> PublishedModel:
    """Build the published network (DenseNet-121) with the weights of an authors' checkpoint.

    Parameters
    ----------
    path
        A .pt file of tensors, opened with ``weights_only=True``, or .safetensors.
    n_positions
        Rows kept of the position tables; all by default. The published ones have 65,536, nearly all never used.

    Raises
    ------
    InputError
        If the file is no such checkpoint, or has fewer rows than are needed.
    """
    return from_weights(read_weights(path), source=str(path), n_positions=n_positions)


def from_weights(weights: Mapping[str, Tensor], *, source: str, n_positions: int | None = None) -> PublishedModel:
    """Build the published network from tensors under the release's key names; see `load_published`."""
    ours = {_rename(name): tensor.float() for name, tensor in weights.items() if tensor.is_floating_point()}
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.items()}
    try:
        n_rows, n_genes = shapes["position.column.weight"]
        dim = shapes["image_projection.projection.weight"][0]
        n_blocks = len({name.split(".")[1] for name in shapes if name.startswith("spot_encoder.")})
    except (KeyError, ValueError) as error:
        msg = (
            f"a checkpoint of the published mclSTExp expected in {source}, found one without {error}: "
            "give the file its training script saved"
        )
        raise InputError(msg) from error
    n_positions = n_rows if n_positions is None else n_positions
    if n_positions > n_rows:
        msg = (
            f"position tables of at least {n_positions} rows expected in {source} for these sections, found {n_rows}: "
            "the checkpoint was fitted on a smaller array"
        )
        raise InputError(msg)
    for name in _TABLES:
        ours[name] = ours[name][:n_positions]
    encoder = as_released(create_encoder("random:densenet121"))
    model = PublishedModel(
        encoder, n_features=encoder.dim, n_genes=n_genes, n_positions=n_positions, dim=dim, n_blocks=n_blocks
    )
    _fill(model, ours, source=source)
    return model.eval()


def _rename(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _fill(model: PublishedModel, weights: dict[str, Tensor], *, source: str) -> None:
    # counters of batches and the encoder's own preprocessing are not in a checkpoint
    own = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point() and name not in ("image_encoder.mean", "image_encoder.std")
    }
    missing = sorted(set(own) - set(weights))
    wrong = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    extra = sorted(set(weights) - set(own))
    if missing or wrong or extra:
        msg = (
            f"a checkpoint of the published mclSTExp with DenseNet-121 expected in {source}, found {len(missing)} "
            f"tensors missing, {len(wrong)} of another shape and {len(extra)} unknown "
            f"(such as {(missing + wrong + extra)[0]}): other image encoders are not imported"
        )
        raise InputError(msg)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
