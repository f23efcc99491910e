"""Hist2ST (Zeng et al. 2022, Briefings in Bioinformatics): a Transformer over the section, then its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.hist2st import Hist2STNet, MixerEmbedding, load_hist2st
from mclstexp.nn.position import array_positions, table_rows
from mclstexp.nn.slide_inputs import FeatureEmbedding, SlideInputs
from mclstexp.sight.image_predictor import ImagePredictor
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.hist2st import Hist2STLoss
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.slides import SlideTable, fit_slides

_AS_PUBLISHED = TrainingOptions(optimiser="adam", schedule="step", clip_norm=None)


@register("hist2st")
@dataclass
class Hist2ST(ImagePredictor):
    """Tiles plus positions through a Transformer and GraphSAGE layers to expression and the law of its counts.

    All tiles asked are predicted at once, and each looks at all others: memory grows with their number, time with
    its square. The preset "published" is the released network and its training.

    Where the defaults differ, and why: frozen features of an image encoder through a linear layer take the place of
    the ConvMixer, which has to be learnt from pixels on a GPU; they cannot be augmented, so that there is no
    self-distillation; pixels, where they are asked for, lie in [0, 1]; genes are standardised over the training
    spots; position tables start near zero, so that a coordinate no training spot had adds next to nothing; AdamW
    with a falling rate needs far fewer steps.

    Where the preset differs too: a tile without neighbours hears zeros (published: 0/0, NaN in every weight); of
    equally near neighbours the geometry chooses, not the order of rows; the negative binomial without zero
    inflation, a switch of the release, is left out.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "image": "pixels",
            "pixel_scale": 1.0,
            "dim": 1024,
            "depth": 8,
            "graph_depth": 4,
            "n_heads": 16,
            "head_dim": 64,
            "mlp_dim": 1024,
            "dropout": 0.2,
            "position_spread": 1.0,
            "standardise": False,
            "epochs": 350,
            "learning_rate": 1e-5,
            "weight_decay": 0.0,
            "optimiser": "adam",
        }
    }

    patch_px: int = 112
    """Pixels only: side to which a tile is shrunk."""
    cut_px: int = 7
    """Pixels only: side of the small patches a tile is cut into; `patch_px` is a multiple of it."""
    n_channels: int = 32
    """Pixels only: channels of the ConvMixer; (patch_px / cut_px)² · n_channels / 8 must be `dim`."""
    mixer_depth: int = 2
    """Pixels only: blocks of the ConvMixer."""
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
    """Blocks of the Transformer."""
    graph_depth: int = 2
    """GraphSAGE layers after it; all their outputs are kept, by an LSTM over them."""
    n_neighbours: int = 4
    """Nearest tiles a tile hears of in the graph."""
    reach: float = 2.0
    """No farther than this, in steps of the array (published: 2 for legacy arrays, no limit for cSCC)."""
    n_heads: int = 4
    """Heads of a block."""
    head_dim: int = 32
    """Length of a head."""
    mlp_dim: int = 256
    """Inner length of a block's feed-forward part."""
    dropout: float = 0.3
    """Share of values dropped in training, in tokens and blocks (published: 0.2)."""
    feature_dropout: float = 0.7
    """Features only: share of them dropped in training."""
    standardise: bool = True
    """Learn each gene with mean 0 and spread 1 over the training spots; the prediction is scaled back."""
    zinb_weight: float = 0.25
    """Weight of the counts' likelihood in the loss."""
    distil_weight: float = 0.5
    """Pixels only: weight of the agreement with augmented passes in the loss."""
    n_augmented: int = 5
    """Pixels only: augmented passes; 0 for no distillation."""
    epochs: int = 60
    """Passes over the training sections, one section a step."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """Weight decay."""
    optimiser: Literal["adamw", "adam"] = "adamw"
    """"adamw": rate warmed up and taken down, gradients clipped; "adam": falling by a tenth every 50 epochs, as
    published."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dim", "n_heads", "head_dim", "mlp_dim", "graph_depth", "n_neighbours", "epochs"):
            if getattr(self, name) < 1:
                msg = f"hist2st option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if self.optimiser not in ("adamw", "adam"):
            msg = f"hist2st option optimiser must be 'adamw' or 'adam', found {self.optimiser!r}"
            raise InputError(msg)
        if self.checkpoint and (self.image != "pixels" or self.pixel_scale != 1 or self.standardise):
            given = word("preset", "published")
            msg = f"hist2st option checkpoint is for the published network: give {given} with it"
            raise InputError(msg)
        made = (self.patch_px // self.cut_px) ** 2 * (self.n_channels // 8)
        if self.image == "pixels" and made != self.dim:
            msg = (
                f"hist2st on pixels expects dim = (patch_px / cut_px)² · n_channels / 8, found {self.dim} and {made}: "
                f"set dim to {made}"
            )
            raise InputError(msg)

    def _inputs(self, tiles: Tiles) -> SlideInputs:
        return SlideInputs.build(
            tiles, self._show(tiles, size_px=self.patch_px), n_neighbours=self.n_neighbours, reach=self.reach
        )

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        positions = [array_positions(section.tiles) for section in sections]
        self.n_positions_ = table_rows(positions, n_positions=self.n_positions)
        n_genes = len(self.space_.genes)
        self.mean_, self.spread_ = torch.zeros(n_genes), torch.ones(n_genes)
        if self.checkpoint:
            self.space_.require_log(f"a checkpoint of {self.name}")
            self.model_ = self._build(None).to(torch_device(self.device))
            load_hist2st(self.model_, Path(self.checkpoint))
            return
        table = SlideTable.build(sections, [self._inputs(section.tiles) for section in sections], space=self.space_)
        if self.standardise:
            self.mean_, self.spread_ = table.expression_mean(), table.expression_spread()
        self.model_ = self._train(table)

    def _moments(self, table: SlideTable) -> tuple[Tensor, Tensor] | None:
        return table.feature_moments(standardise=not self.slide_scale) if self.image == "features" else None

    def _build(self, moments: tuple[Tensor, Tensor] | None) -> Hist2STNet:
        """Build the network; `moments` are (mean, spread) of the features, None for pixels."""
        image: nn.Module = (
            MixerEmbedding(
                self.patch_px,
                patch_px=self.cut_px,
                n_channels=self.n_channels,
                depth=self.mixer_depth,
                scale=self.pixel_scale,
            )
            if moments is None
            else FeatureEmbedding(*moments, dim=self.dim, dropout=self.feature_dropout)
        )
        return Hist2STNet(
            image,
            n_genes=len(self.space_.genes),
            n_positions=self.n_positions_,
            dim=self.dim,
            depth=self.depth,
            graph_depth=self.graph_depth,
            n_heads=self.n_heads,
            head_dim=self.head_dim,
            hidden=self.mlp_dim,
            dropout=self.dropout,
        )

    def _train(self, table: SlideTable) -> Hist2STNet:
        device = torch_device(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self._build(
                table.feature_moments(standardise=not self.slide_scale) if self.image == "features" else None
            )
            model.position.spread(self.position_spread)
        model.to(device)
        criterion = Hist2STLoss(
            self.mean_.to(device),
            self.spread_.to(device),
            zinb_weight=self.zinb_weight,
            distil_weight=self.distil_weight,
            n_augmented=self.n_augmented if self.image == "pixels" else 0,
        )
        options = replace(
            TrainingOptions() if self.optimiser == "adamw" else _AS_PUBLISHED,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=self.seed,
        )
        fit_slides(model, table, partial(criterion, model), options=options, workdir=self._workdir, label="hist2st")
        return model

    @torch.inference_mode()
    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        inputs = self._inputs(tiles)
        table_rows([inputs.position], n_positions=self.n_positions_)
        predicted = self.model_.eval()(inputs.to(torch_device(self.device))).expression.cpu()
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
