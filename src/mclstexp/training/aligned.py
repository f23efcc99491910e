"""Fitting the contrastive model of the strict protocol: the training table, and the step over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.contrastive import ContrastiveModel
from mclstexp.nn.losses import contrastive_loss, correlation_loss
from mclstexp.training.distributed import gather
from mclstexp.training.loop import TrainingOptions, my_share
from mclstexp.training.progress import train_shown

ImageInputs = Callable[[Tensor], tuple[Tensor, ...]]
"""Row numbers → what the image encoder takes for them."""


@dataclass(frozen=True)
class SpotTable:
    """Training spots of all sections, one below the other; neighbours never cross a section's border."""

    expression: Float[np.ndarray, "n_spots n_genes"]
    """In the model's expression space; what retrieval returns."""
    mean: Float[np.ndarray, " n_genes"]
    """Per gene, over these spots."""
    spread: Float[np.ndarray, " n_genes"]
    """Standard deviation per gene over these spots; 1 where a gene is constant."""
    index: Tensor
    """(n_spots, n_tokens) rows of the spot itself and its neighbours."""
    offset_um: Tensor
    """(n_spots, n_tokens, 2) where they lie."""
    present: Tensor
    """(n_spots, n_tokens) False where a spot has fewer neighbours."""
    section_ids: tuple[str, ...]
    """Section of each spot."""
    patients: tuple[str | None, ...]
    """Patient of each spot, None where not known."""

    @property
    def standardised(self) -> Tensor:
        """(n_spots, n_genes) expression with mean 0 and spread 1 per gene: what the spot encoder sees."""
        return torch.from_numpy((self.expression - self.mean) / self.spread)

    @classmethod
    def build(
        cls,
        sections: Sequence[Section],
        expression: Sequence[Float[np.ndarray, "_ n_genes"]],
        *,
        n_neighbours: int,
        radius_um: float,
    ) -> SpotTable:
        """Join sections and look up each spot's neighbours on its own section."""
        start, parts = 0, []
        for section in sections:
            near = find_neighbours(section.tiles.xy_um, n_neighbours=n_neighbours, radius_um=radius_um)
            parts.append((near.index + start, near.offset_um, near.present))
            start += len(section)
        index, offset, present = (np.concatenate(part) for part in zip(*parts, strict=True))
        joined = np.concatenate(expression)
        spread = joined.std(axis=0)
        return cls(
            expression=joined,
            mean=joined.mean(axis=0),
            spread=np.where(spread > 0, spread, 1).astype(np.float32),
            index=torch.from_numpy(index),
            offset_um=torch.from_numpy(offset),
            present=torch.from_numpy(present),
            section_ids=tuple(s.id for s in sections for _ in range(len(s))),
            patients=tuple(s.patient for s in sections for _ in range(len(s))),
        )


def fit_reduction(
    features: Float[np.ndarray, "n_tiles n_features"], *, n_components: int, seed: int = 0, standardise: bool = True
) -> tuple[Float[np.ndarray, " n_features"], Float[np.ndarray, "n_features n_components"]]:
    """Learn standardising + PCA as one linear map, scaled so that the mean variance of a component is 1.

    Features that are on one scale already, as those by a slide's own are, say so by ``standardise=False``.

    One common scale, not whitening: whitening blows up the weakest components, and lowered the scores on real
    sections from 0.281 to 0.265 (mouse olfactory bulb).
    """
    mean = features.mean(axis=0)
    spread = features.std(axis=0) + 1e-6 if standardise else np.ones_like(mean)
    standard = features - mean
    standard /= spread
    n_components = min(n_components, *features.shape)
    # it may write into the copy that was just made: features of a large section are gigabytes
    pca = PCA(n_components, svd_solver="randomized", random_state=seed, copy=False).fit(standard)
    scale = np.sqrt(pca.explained_variance_.mean())
    components = pca.components_.T / scale / spread[:, None]
    return mean.astype(np.float32), components.astype(np.float32)


@dataclass(frozen=True)
class Objective:
    """What is minimised beside the plain contrast."""

    soft_temperature: float = 0.0
    """Spots of like expression share a target: softmax of the cosine of standardised expression over this; 0: each
    tile has its own spot alone."""
    correlation_weight: float = 0.0
    """Weight of 1 - PCC of the head's prediction, per gene over the batch."""


def fit_aligned(
    model: ContrastiveModel,
    table: SpotTable,
    image_inputs: ImageInputs,
    *,
    options: TrainingOptions,
    objective: Objective = Objective(),
    workdir: Path | None = None,
    label: str = "fit",
) -> list[dict[str, float]]:
    """Align tiles with their spots: symmetric cross-entropy over the joined batch, plus the head's error if it has one.

    Returns
    -------
    The history of `train`.
    """
    device = next(model.parameters()).device
    expression = table.standardised.to(device)
    index, offset, present = (t.to(device) for t in (table.index, table.offset_um, table.present))

    def step(rows: Tensor) -> Tensor:
        mine = my_share(rows).to(device)
        images = model.embed_images(*image_inputs(mine))
        spots = model.embed_spots(expression[index[mine]], offset[mine], present[mine])
        # gathered: each process then holds the joined batch's loss, as the averaging of gradients expects
        images, spots, truth = gather(images), gather(spots), gather(expression[mine])
        targets = _alike(truth, objective.soft_temperature) if objective.soft_temperature else None
        loss = contrastive_loss(model.scale * spots @ images.T, targets=targets)
        if model.regression is not None:
            read = model.regress(images)
            loss = loss + functional.mse_loss(read, truth)
            if objective.correlation_weight:
                loss = loss + objective.correlation_weight * correlation_loss(read, truth)
        return loss

    return train_shown(model, step, len(expression), options=options, workdir=workdir, label=label)


def _alike(expression: Float[Tensor, "n n_genes"], temperature: float) -> Float[Tensor, "n n"]:
    """Return wanted probabilities from the likeness of measured expression; it is data, and fixed."""
    unit = functional.normalize(expression, dim=-1)
    return (unit @ unit.T / temperature).softmax(dim=-1)


@torch.inference_mode()
def embed_table(
    model: ContrastiveModel, table: SpotTable, *, batch_size: int = 1024
) -> Float[np.ndarray, "n_spots dim"]:
    """Embed every spot of the table with the fitted spot encoder."""
    device = next(model.parameters()).device
    expression = table.standardised.to(device)
    parts = []
    for rows in torch.arange(len(expression)).split(batch_size):
        inputs = (
            expression[table.index[rows].to(device)],
            table.offset_um[rows].to(device),
            table.present[rows].to(device),
        )
        parts.append(model.eval().embed_spots(*inputs).float().cpu())
    return torch.cat(parts).numpy()


def flat_state(module: nn.Module) -> dict[str, np.ndarray]:
    """Return a module's weights as numpy arrays by name."""
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in module.state_dict().items()}


def unflatten(arrays: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    """Return the arrays under `prefix` as tensors, the prefix removed.

    Raises
    ------
    InputError
        If one holds something else than the real numbers that `flat_state` wrote.
    """
    tensors = {}
    for name, array in arrays.items():
        if name.startswith(prefix):
            if array.dtype.kind != "f":
                msg = f"real numbers as weights {name!r} of a saved model expected, found {array.dtype}: copy it again"
                raise InputError(msg)
            tensors[name.removeprefix(prefix)] = torch.from_numpy(np.array(array))
    return tensors
