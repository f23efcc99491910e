"""HisToGene (Pang et al. 2021, bioRxiv 2021.11.28.470212): all tiles of a section attend to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.histogene import HisToGeneNet, PixelEmbedding, load_histogene
from mclstexp.nn.position import array_positions, table_rows
from mclstexp.nn.slide_inputs import FeatureEmbedding, SlideInputs
from mclstexp.sight.image_predictor import ImagePredictor
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.slides import SlideTable, SlideTruth, fit_slides

_AS_PUBLISHED = TrainingOptions(optimiser="adam", schedule="constant", clip_norm=None)


@register("his_to_gene")
@dataclass
class HisToGene(ImagePredictor):
    """Tiles plus their array positions through a Transformer over the whole section; squared error.

    All tiles asked are predicted at once, and each looks at all others: memory grows with their number, time with
    its square. The preset "published" is the released network and its tutorial's training (depth 8).

    Where the defaults differ, and why: frozen features of an image encoder through a linear layer take the place of
    37,632 raw pixel values through one; pixels, where they are asked for, lie in [0, 1]; genes are standardised over
    the training spots; position tables start near zero, so that a coordinate no training spot had adds next to
    nothing; AdamW with a falling rate needs far fewer steps. The release's super-resolution grid, whose positions
    are not those it was trained on, is left out: `Tiles.grid` lays any grid.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "image": "pixels",
            "pixel_scale": 1.0,
            "dim": 1024,
            "depth": 8,
            "n_heads": 16,
            "head_dim": 64,
            "mlp_dim": 2048,
            "dropout": 0.1,
            "position_spread": 1.0,
            "standardise": False,
            "epochs": 100,
            "learning_rate": 1e-5,
            "weight_decay": 0.0,
            "optimiser": "adam",
        }
    }

    patch_px: int = 112
    """Pixels only: side to which a tile is shrunk."""
    pixel_scale: float = 255.0
    """Pixels only: values are divided by it; 255 for [0, 1], 1 for 0 to 255 as published."""
    checkpoint: str = ""
    """Pixels only: a checkpoint of the authors' training script, taken as it is; nothing is fitted then."""
    n_positions: int | None = None
    """Rows of each table of coordinates; None: what the training sections need, at least the published 64."""
    position_spread: float = 0.02
    """Standard deviation of the tables before training (published: 1)."""
    dim: int = 128
    """Length of a tile's vector."""
    depth: int = 2
    """Blocks of the Transformer (published: 8 in the tutorial, 4 in the code)."""
    n_heads: int = 4
    """Heads of a block."""
    head_dim: int = 32
    """Length of a head."""
    mlp_dim: int = 256
    """Inner length of a block's feed-forward part."""
    dropout: float = 0.3
    """Share of values dropped in training, in tokens and blocks (published: 0.1)."""
    feature_dropout: float = 0.7
    """Features only: share of them dropped in training."""
    standardise: bool = True
    """Learn each gene with mean 0 and spread 1 over the training spots; the prediction is scaled back."""
    epochs: int = 60
    """Passes over the training sections, one section a step."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """Weight decay."""
    optimiser: Literal["adamw", "adam"] = "adamw"
    """"adamw": rate warmed up and taken down, gradients clipped; "adam": constant rate, as published."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dim", "n_heads", "head_dim", "mlp_dim", "epochs"):
            if getattr(self, name) < 1:
                msg = f"his_to_gene option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if self.optimiser not in ("adamw", "adam"):
            msg = f"his_to_gene option optimiser must be 'adamw' or 'adam', found {self.optimiser!r}"
            raise InputError(msg)
        if self.checkpoint and (self.image != "pixels" or self.pixel_scale != 1 or self.standardise):
            given = word("preset", "published")
            msg = f"his_to_gene option checkpoint is for the published network: give {given} with it"
            raise InputError(msg)

    def _inputs(self, tiles: Tiles) -> SlideInputs:
        return SlideInputs.build(tiles, self._show(tiles, size_px=self.patch_px), n_neighbours=0)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        positions = [array_positions(section.tiles) for section in sections]
        self.n_positions_ = table_rows(positions, n_positions=self.n_positions)
        n_genes = len(self.space_.genes)
        self.mean_, self.spread_ = torch.zeros(n_genes), torch.ones(n_genes)
        if self.checkpoint:
            self.space_.require_log(f"a checkpoint of {self.name}")
            self.model_ = self._build(None).to(torch_device(self.device))
            load_histogene(self.model_, Path(self.checkpoint))
            return
        table = SlideTable.build(sections, [self._inputs(section.tiles) for section in sections], space=self.space_)
        if self.standardise:
            self.mean_, self.spread_ = table.expression_mean(), table.expression_spread()
        self.model_ = self._train(table)

    def _moments(self, table: SlideTable) -> tuple[Tensor, Tensor] | None:
        return table.feature_moments(standardise=not self.slide_scale) if self.image == "features" else None

    def _build(self, moments: tuple[Tensor, Tensor] | None) -> HisToGeneNet:
        """Build the network; `moments` are (mean, spread) of the features, None for pixels."""
        image: nn.Module = (
            PixelEmbedding(self.patch_px, self.dim, scale=self.pixel_scale)
            if moments is None
            else FeatureEmbedding(*moments, dim=self.dim, dropout=self.feature_dropout)
        )
        return HisToGeneNet(
            image,
            n_genes=len(self.space_.genes),
            n_positions=self.n_positions_,
            dim=self.dim,
            depth=self.depth,
            n_heads=self.n_heads,
            head_dim=self.head_dim,
            hidden=self.mlp_dim,
            dropout=self.dropout,
        )

    def _train(self, table: SlideTable) -> HisToGeneNet:
        device = torch_device(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self._build(
                table.feature_moments(standardise=not self.slide_scale) if self.image == "features" else None
            )
            model.position.spread(self.position_spread)
        model.to(device)
        mean, spread = self.mean_.to(device), self.spread_.to(device)

        def loss(inputs: SlideInputs, truth: SlideTruth) -> Tensor:
            return functional.mse_loss(model(inputs), (truth.expression - mean) / spread)

        options = replace(
            TrainingOptions() if self.optimiser == "adamw" else _AS_PUBLISHED,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=self.seed,
        )
        fit_slides(model, table, loss, options=options, workdir=self._workdir, label="his_to_gene")
        return model

    @torch.inference_mode()
    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        inputs = self._inputs(tiles)
        table_rows([inputs.position], n_positions=self.n_positions_)
        predicted = self.model_.eval()(inputs.to(torch_device(self.device))).cpu()
        return (predicted * self.spread_ + self.mean_).numpy()

    def _get_state(self) -> State:
        arrays = {"mean": self.mean_.numpy(), "spread": self.spread_.numpy()}
        arrays |= {f"model.{name}": array for name, array in flat_state(self.model_).items()}
        return State(arrays=arrays, meta={"n_positions": self.n_positions_}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.n_positions_ = stored_number(state, "n_positions")
        mean_spread = stored_arrays(state, {"mean": "genes", "spread": "genes"}, genes=len(self.genes_))
        self.mean_, self.spread_ = (torch.from_numpy(np.array(array)) for array in mean_spread)
        weights = unflatten(state.arrays, "model.")
        moments = (weights["image.mean"], weights["image.spread"]) if self.image == "features" else None
        self.model_ = self._build(moments)
        self.model_.load_state_dict(weights)
        self.model_.eval().to(torch_device(self.device))
