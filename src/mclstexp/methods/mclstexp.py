"""mclSTExp (Min et al., arXiv 2407.08216): tiles and measured spots aligned by contrast; expression retrieved."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.data.folds import split_validation
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.inference.bank import ReferenceBank
from mclstexp.inference.embed import embed_tiles
from mclstexp.nn.contrastive import ContrastiveModel, TileEncoder
from mclstexp.nn.spot_encoders import NeighbourTransformer
from mclstexp.training.aligned import SpotTable, embed_table, fit_aligned, fit_reduction, flat_state, unflatten
from mclstexp.training.loop import TrainingOptions

EPOCHS = (10, 20, 40)
KS = (25, 50, 100, 200)
SHARPNESS = (0.0, 0.5, 1.0)
"""What is tried on held-out training sections where an option is left open."""


@dataclass(frozen=True)
class _Choice:
    """Settings of training length and retrieval."""

    epochs: int = 20
    k: int = 100
    sharpness: float = 0.0


@register("mclstexp")
@dataclass
class MclSTExp(Predictor):
    """Contrastive alignment of tiles and spots; a tile's expression is the mean of its nearest measured spots.

    The strict protocol differs from the published code where that leaks or depends on chance (ALGORITHMS of the
    paper's release): one expression space for input, bank and truth; attention over a spot's true neighbours
    instead of its batch mates; offsets in µm instead of tables of coordinates; unit-length embeddings and a
    learnt temperature in loss and retrieval; length of training and retrieval chosen on held-out training sections.
    """

    encoder: str = "densenet121"
    """Image encoder whose frozen features are learnt from: a timm name, "efficientnet_lite0", "name@file"."""
    context_radii_um: tuple[float, ...] = (300.0, 600.0)
    """For each radius (µm) the mean features of the tiles within it join the tile's own; empty: no context."""
    n_components: int = 128
    """Principal components of the features that the image encoder sees."""
    dim: int = 64
    """Length of the embeddings."""
    n_neighbours: int = 6
    """Neighbouring spots the spot encoder attends to."""
    neighbour_radius_um: float = 250.0
    """No farther than this (µm); 250 takes the 4 nearest of a 200 µm square array, all 6 of a 100 µm hexagonal one."""
    n_blocks: int = 1
    """Transformer blocks of the spot encoder."""
    dropout: float = 0.5
    """Share of inputs dropped in training, on both sides."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections."""
    k: int | None = None
    """Spots retrieved for a tile; None: chosen on held-out training sections."""
    sharpness: float | None = None
    """Retrieved spots weigh softmax(sharpness · learnt scale · cosine): 1 as in the loss, 0 equal; None: chosen."""
    regression_share: float = 0.0
    """Share of a linear head on the image embedding in the prediction; 0: retrieval alone."""
    n_models: int = 2
    """Models fitted with different seeds; predictions are averaged."""
    batch_size: int = 128
    """Spots contrasted with each other."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 1e-2
    """Weight decay of AdamW."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        for name in ("n_components", "dim", "n_models", "batch_size"):
            if getattr(self, name) < 1:
                msg = f"mclstexp option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return max(self.context_radii_um, default=0.0)

    def _fit(self, sections: list[Section]) -> None:
        features = {section.id: self._features(section.tiles) for section in sections}
        self._choice = self._choose(sections, features)
        table = self._table(sections)
        joined = np.concatenate([features[section.id] for section in sections])
        self._models, self._banks = [], []
        for number in range(self.n_models):
            label = f"mclstexp {number + 1}/{self.n_models}"
            workdir = None if self._workdir is None else self._workdir / f"model_{number}"
            model = self._train(table, joined, epochs=self._choice.epochs, number=number, workdir=workdir, label=label)
            self._models.append(model)
            self._banks.append(_bank(model, table))
        self._mean, self._spread = table.mean, table.spread

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        features = self._features(tiles)
        parts = []
        for model, bank in zip(self._models, self._banks, strict=True):
            queries = _embed_images(model, features)
            part = bank.query(queries, **_retrieval(model, self._choice))
            if model.regression is not None:
                head = _regress(model, queries) * self._spread + self._mean
                part = (1 - self.regression_share) * part + self.regression_share * head
            parts.append(part)
        return np.mean(parts, axis=0, dtype=np.float64).astype(np.float32)

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        """Encoder's features of each tile, then the mean over its surroundings at each radius."""
        own = embed_tiles(tiles, self.encoder)
        context = [mean_of_neighbours(own, tiles.xy_um, radius_um=radius) for radius in self.context_radii_um]
        return np.concatenate([own, *context], axis=1)

    def _table(self, sections: Sequence[Section]) -> SpotTable:
        expression = [self.space_(section.counts) for section in sections]
        return SpotTable.build(sections, expression, n_neighbours=self.n_neighbours, radius_um=self.neighbour_radius_um)

    def _train(
        self,
        table: SpotTable,
        features: np.ndarray,
        *,
        epochs: int,
        number: int,
        label: str,
        workdir: Path | None = None,
    ) -> ContrastiveModel:
        seed = self.seed + number
        mean, components = fit_reduction(features, n_components=self.n_components, seed=seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = self._build(mean, components, n_genes=table.expression.shape[1])
        inputs = torch.from_numpy(features)
        options = TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=seed,
        )
        fit_aligned(model, table, lambda rows: (inputs[rows],), options=options, workdir=workdir, label=label)
        return model

    def _build(self, mean: np.ndarray, components: np.ndarray, *, n_genes: int) -> ContrastiveModel:
        tiles = TileEncoder(torch.from_numpy(mean), torch.from_numpy(components), dim=self.dim, dropout=self.dropout)
        spots = NeighbourTransformer(n_genes, self.dim, n_blocks=self.n_blocks, dropout=self.dropout)
        return ContrastiveModel(tiles, spots, n_genes=n_genes if self.regression_share > 0 else None)

    def _choose(self, sections: list[Section], features: dict[str, np.ndarray]) -> _Choice:
        """Settle what is left open by fitting on some training sections and scoring on the others."""
        grid = [
            _Choice(epochs, k, sharpness)
            for epochs, k, sharpness in itertools.product(
                EPOCHS if self.epochs is None else (self.epochs,),
                KS if self.k is None else (self.k,),
                SHARPNESS if self.sharpness is None else (self.sharpness,),
            )
        ]
        if len(grid) == 1:
            return grid[0]
        if len(sections) == 1:  # nobody to choose on: what was best elsewhere
            return next((c for c in grid if c == replace(grid[0], epochs=c.epochs, k=c.k)), grid[0])
        fitted_on, held_out = split_validation(sections, seed=self.seed)
        table = self._table(fitted_on)
        joined = np.concatenate([features[section.id] for section in fitted_on])
        scores = dict.fromkeys(grid, 0.0)
        for epochs in dict.fromkeys(choice.epochs for choice in grid):
            model = self._train(table, joined, epochs=epochs, number=0, label=f"mclstexp: choosing, {epochs} epochs")
            bank = _bank(model, table)
            for section in held_out:
                queries, truth = _embed_images(model, features[section.id]), self.space_(section.counts)
                for choice in (c for c in grid if c.epochs == epochs):
                    predicted = bank.query(queries, **_retrieval(model, choice))
                    scores[choice] += float(np.nanmean(pearson_per_gene(truth, predicted)))
        return max(scores, key=lambda choice: scores[choice])

    def _get_state(self) -> State:
        arrays = {"bank.expression": self._banks[0].expression, "mean": self._mean, "spread": self._spread}
        for number, (model, bank) in enumerate(zip(self._models, self._banks, strict=True)):
            arrays[f"bank.keys.{number}"] = bank.keys
            arrays |= {f"model.{number}.{name}": array for name, array in flat_state(model).items()}
        meta = {
            "choice": vars(self._choice),
            "section_ids": list(self._banks[0].section_ids),
            "patients": list(self._banks[0].patients),
        }
        return State(arrays=arrays, meta=meta)

    def _set_state(self, state: State) -> None:
        self._choice = _Choice(**state.meta["choice"])
        self._mean, self._spread = state.arrays["mean"], state.arrays["spread"]
        self._models, self._banks = [], []
        for number in range(self.n_models):
            weights = unflatten(state.arrays, f"model.{number}.")
            mean, components = (weights[f"image_encoder.{name}"].numpy() for name in ("mean", "components"))
            model = self._build(mean, components, n_genes=len(self.genes_))
            model.load_state_dict(weights)
            self._models.append(model.eval())
            self._banks.append(
                ReferenceBank(
                    keys=state.arrays[f"bank.keys.{number}"],
                    expression=state.arrays["bank.expression"],
                    section_ids=tuple(state.meta["section_ids"]),
                    patients=tuple(state.meta["patients"]),
                )
            )
