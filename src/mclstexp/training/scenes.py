"""Fitting the networks that see a tile's parts and surroundings: DeepSpot's and TRIPLEX's."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.deep_sets import DeepSets
from mclstexp.nn.triplex import Triplex, TriplexInputs, triplex_loss
from mclstexp.training.loop import Step, TrainingOptions
from mclstexp.training.progress import train_shown


@dataclass(frozen=True)
class SceneTable:
    """Training spots of all sections, one below the other: what is seen of each, and what was measured."""

    parts: Float[Tensor, "n_spots n_parts in_dim"]
    """Features of each tile's parts."""
    places: Float[Tensor, "n_places in_dim"]
    """Features of the tiles and of the places around them."""
    index: Int[Tensor, "n_spots n_window"]
    """For each spot the rows of `places` around it, itself in the middle."""
    truth: Float[Tensor, "n_spots n_genes"]
    """On the scale on which errors count."""

    def __len__(self) -> int:
        return len(self.truth)

    def to(self, device: torch.device) -> Self:
        """Return the same on another device."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def own(self, rows: Int[Tensor, " n"] | slice) -> Float[Tensor, "n in_dim"]:
        """Return the features of the tiles themselves."""
        return self.places[self.index[rows, self.index.shape[1] // 2]]


def others(index: Int[Tensor, "n n_window"]) -> Int[Tensor, "n n_around"]:
    """Leave the middle out of windows."""
    middle = index.shape[1] // 2
    return torch.cat([index[:, :middle], index[:, middle + 1 :]], dim=1)


def fit_deep_sets(
    model: DeepSets, table: SceneTable, *, options: TrainingOptions, workdir: Path | None = None, label: str = "fit"
) -> list[dict[str, float]]:
    """Fit DeepSpot's network by the mean squared error over batches of spots.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    table
        What it learns from.
    options, workdir, label
        See `train`.

    Returns
    -------
    The history of `train`.
    """
    table = table.to(next(model.parameters()).device)

    def step(rows: Tensor) -> Tensor:
        rows = rows.to(table.truth.device)
        around = table.places[others(table.index[rows])]
        return functional.mse_loss(model(table.own(rows), table.parts[rows], around), table.truth[rows])

    return _fit(model, step, len(table), options=options, workdir=workdir, label=label)


def fit_triplex(
    model: Triplex,
    table: SceneTable,
    positions: list[Int[Tensor, "_ 2"]],
    *,
    options: TrainingOptions,
    alpha: float = 0.3,
    workdir: Path | None = None,
    label: str = "fit",
) -> list[dict[str, float]]:
    """Fit TRIPLEX's network: a step draws a batch of spots from one section and encodes that section whole.

    Sections come in a new order every epoch, each as often as its spots fill a batch, the last one begun included.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    table
        What it learns from.
    positions
        Array (column, row) of each section's spots, in the order of the table.
    options
        See `train`; `batch_size` is the spots drawn in a step.
    alpha
        See `triplex_loss`.
    workdir, label
        See `train`.

    Returns
    -------
    The history of `train`.
    """
    device = next(model.parameters()).device
    table, positions = table.to(device), [position.to(device) for position in positions]
    ends = torch.tensor([len(position) for position in positions]).cumsum(0).tolist()
    turns = [n for n, at in enumerate(positions) for _ in range(math.ceil(len(at) / options.batch_size))]

    def step(rows: Tensor) -> Tensor:
        number = turns[int(rows[0])]
        position = positions[number]
        start = ends[number] - len(position)
        drawn = torch.randperm(len(position))[: options.batch_size].to(device)
        inputs = TriplexInputs(
            parts=table.parts[start + drawn],
            around=table.places[table.index[start + drawn]],
            slide_of=drawn,
            slides=((table.own(slice(start, ends[number])), position),),
        )
        return triplex_loss(model(inputs), table.truth[start + drawn], alpha=alpha)

    key = f"{label} batch {options.batch_size} alpha {alpha}"
    return _fit(model, step, len(turns), options=replace(options, batch_size=1), workdir=workdir, label=key)


def _fit(
    model: nn.Module, step: Step, n_rows: int, *, options: TrainingOptions, workdir: Path | None, label: str
) -> list[dict[str, float]]:
    return train_shown(model, step, n_rows, options=options, workdir=workdir, label=label)
