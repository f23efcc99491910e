"""Fitting the published network: the release's inputs, batches and optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mclstexp.core.doors import method_option
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.nn.cpu import prepare_cpu
from mclstexp.nn.position import whole
from mclstexp.nn.published import PublishedModel
from mclstexp.training.distributed import gather
from mclstexp.training.loop import Step, TrainingOptions, my_share
from mclstexp.training.progress import train_shown


@dataclass(frozen=True)
class PublishedTable:
    """Training spots of all sections, one below the other, as the published network takes them."""

    inputs: Float[Tensor, "n_spots n_genes"]
    """Normalised per spot, whatever the scale of the values: what the spot encoder sees."""
    values: Float[np.ndarray, "n_spots n_genes"]
    """In the space of the predictions (published: normalised per gene over the section): what is retrieved."""
    position: Int[Tensor, "n_spots 2"]
    """Array (column, row), cut to whole numbers."""
    section_ids: tuple[str, ...]
    """Section of each spot."""
    patients: tuple[str | None, ...]
    """Patient of each spot, None where not known."""

    @classmethod
    def build(cls, sections: Sequence[Section], *, space: ExpressionSpace) -> PublishedTable:
        """Join sections.

        Raises
        ------
        InputError
            If a section has no array coordinates, or negative ones.
        """
        places = []
        for section in sections:
            array_xy = section.tiles.array_xy
            if array_xy is None or (np.trunc(array_xy) < 0).any():
                found = "none" if array_xy is None else f"{array_xy.min():g}"
                msg = (
                    f"section {section.id}: the paper protocol looks positions up in tables and needs array "
                    f"coordinates from 0 on, found {found}: say {method_option('protocol', 'strict')}, which needs µm "
                    "alone"
                )
                raise InputError(msg)
            places.append(torch.from_numpy(np.array(array_xy, np.float32)))
        per_spot = replace(space.on_log(), axis="spot")
        return cls(
            inputs=torch.from_numpy(np.concatenate([per_spot(section.counts) for section in sections])),
            values=np.concatenate([space(section.counts) for section in sections]),
            position=whole(torch.cat(places)),
            section_ids=tuple(s.id for s in sections for _ in range(len(s))),
            patients=tuple(s.patient for s in sections for _ in range(len(s))),
        )


def fit_published(
    model: PublishedModel,
    table: PublishedTable,
    images: Callable[[Tensor], Tensor],
    *,
    options: TrainingOptions,
    dtype: torch.dtype = torch.float32,
    workdir: Path | None = None,
    label: str = "mclstexp, paper",
) -> list[dict[str, float]]:
    """Align tiles with spots as published; the batch is the spot encoder's sequence.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    table
        Training spots.
    images
        Row numbers → what the image encoder takes for them.
    dtype
        Precision of the image encoder's products (published: float32).
    options, workdir, label
        See `train`.

    Returns
    -------
    The history of `train`.
    """
    step = published_step(model, table, images, dtype=dtype)
    return train_shown(model, step, len(table.inputs), options=options, workdir=workdir, label=label)


def published_step(
    model: PublishedModel, table: PublishedTable, images: Callable[[Tensor], Tensor], *, dtype: torch.dtype
) -> Step:
    """Return the loss of a batch; images pass the encoder in the memory layout that is fastest."""
    prepare_cpu()
    model.image_encoder.to(memory_format=torch.channels_last)
    device = next(model.parameters()).device
    inputs, position = table.inputs.to(device), table.position.to(device)

    def step(rows: Tensor) -> Tensor:
        mine = images(my_share(rows)).to(device)
        if mine.ndim == 4:
            mine = mine.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            tiles = model.embed_images(mine)
        # every process embeds the whole batch's spots (they attend to each other) and its share of the tiles
        joined = rows.to(device)
        return model.loss(model.embed_spots(inputs[joined], position[joined]), gather(tiles.float()))

    return step
