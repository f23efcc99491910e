"""The authors' checkpoints: opened safely, renamed, position tables cut to the rows that can occur."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.nn.foreign_weights import fill, renamed
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
"""Published key → ours, as the release names its tensors."""

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
    ours = renamed(weights, _RENAMED)
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
    fill(
        model,
        ours,
        what="the published mclSTExp with DenseNet-121 (other image encoders are not imported)",
        source=source,
        not_in_file=("image_encoder.mean", "image_encoder.std"),  # the encoder's own preprocessing
    )
    return model.eval()
