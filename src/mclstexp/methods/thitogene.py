"""THItoGene (Jia et al., Brief Bioinform 2024): capsules of a tile, a Transformer over the section, a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
from mclstexp.core.stored import stored_arrays, stored_part
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.position import table_rows
from mclstexp.nn.slide_inputs import FeatureEmbedding, SlideInputs
from mclstexp.nn.thitogene import TILE_PX, CapsuleEncoder, Sizes, THItoGeneNet
from mclstexp.nn.thitogene_weights import load_thitogene
from mclstexp.sight.image_predictor import ImagePredictor
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.slides import SlideTable, SlideTruth, fit_slides

_AS_PUBLISHED = TrainingOptions(optimiser="adam", schedule="constant", clip_norm=None)
_POSITIVE = ("n_capsules", "capsule_dim", "n_heads", "mlp_dim", "n_neighbours", "n_models", "epochs")
_POSITIVE_GRAPH = ("graph_heads", "graph_dim", "graph_out", "head_dim")
_LEAST = {"depth": 0, **dict.fromkeys((*_POSITIVE, *_POSITIVE_GRAPH), 1)}
"""Smallest value of the options that are numbers of something."""


@register("thitogene")
@dataclass
class THItoGene(ImagePredictor):
    """Tiles as capsules, joined by their places, seen together by a Transformer, then by a graph of neighbours.

    All tiles of a section are predicted at once, and each looks at all others. The graph is
    Veličković et al. 2018, the dynamic convolution Li et al. 2022, the routing Mazzia et al. 2021.

    Where the defaults differ from the published code, and why: frozen features of an image encoder through one
    linear layer take the place of the capsule network, which has to be learnt from pixels on a GPU; pixels, where
    they are asked for, lie in [0, 1]; genes are standardised over the training spots, so that the few highly
    expressed ones do not rule the loss; position tables start near zero, so that a coordinate no training spot had
    adds next to nothing; AdamW with a falling rate needs far fewer than 200 epochs. The graph is kept as lists of
    neighbours, not as a matrix; a lone tile attends to itself. Ties between neighbours go by geometry, not by row.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "image": "pixels",
            "pixel_scale": 1.0,
            "capsule_dim": 64,
            "depth": 4,
            "n_heads": 16,
            "mlp_dim": 2048,
            "graph_heads": 8,
            "graph_dim": 1024,
            "graph_out": 512,
            "head_dim": 1024,
            "dropout": 0.2,
            "position_spread": 1.0,
            "standardise": False,
            "n_models": 1,
            "epochs": 200,
            "learning_rate": 1e-5,
            "weight_decay": 0.0,
            "optimiser": "adam",
        }
    }

    pixel_scale: float = 255.0
    """Pixels only: values are divided by it; 255 for [0, 1], 1 for 0 to 255 as published."""
    checkpoint: str = ""
    """Pixels only: a checkpoint of the authors' training script, taken as it is; nothing is fitted then."""
    n_capsules: int = 20
    """Capsules a tile becomes; its place adds two."""
    capsule_dim: int = 16
    """Length of a capsule."""
    depth: int = 1
    """Blocks of the Transformer."""
    n_heads: int = 4
    """Heads of a block, each 64 long."""
    mlp_dim: int = 256
    """Inner length of a block's feed-forward part."""
    n_neighbours: int = 4
    """Nearest tiles, by array coordinates and however far, that a tile attends to in the graph."""
    graph_heads: int = 4
    """Heads of the first graph layer."""
    graph_dim: int = 64
    """Length of each of them."""
    graph_out: int = 128
    """Length of what the graph returns."""
    head_dim: int = 256
    """Inner length of the head."""
    dropout: float = 0.2
    """Share of values dropped in training, in features, Transformer and graph."""
    n_positions: int | None = None
    """Rows of each table of coordinates; None: what the training sections need, at least the published 64."""
    position_spread: float = 0.02
    """Standard deviation of the tables before training (published: 1)."""
    standardise: bool = True
    """Learn each gene with mean 0 and spread 1 over the training spots; the prediction is scaled back."""
    n_models: int = 4
    """Models fitted with different seeds; predictions are averaged."""
    epochs: int = 20
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
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                msg = f"thitogene option {name} must be at least {least}, found {getattr(self, name)}"
                raise InputError(msg)
        if self.optimiser not in ("adamw", "adam"):
            msg = f"thitogene option optimiser must be 'adamw' or 'adam', found {self.optimiser!r}"
            raise InputError(msg)
        if self.checkpoint and (self.image != "pixels" or self.pixel_scale != 1 or self.standardise):
            given = word("preset", "published")
            msg = f"thitogene option checkpoint is for the published network: give {given} with it"
            raise InputError(msg)

    def _inputs(self, tiles: Tiles) -> SlideInputs:
        return SlideInputs.build(
            tiles, self._show(tiles, size_px=TILE_PX), n_neighbours=self.n_neighbours, reach=math.inf
        )

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        n_genes = len(self.space_.genes)
        self.mean_, self.spread_ = torch.zeros(n_genes), torch.ones(n_genes)
        if self.checkpoint:
            self.models_ = [self._published(n_genes)]
            return
        if self.image == "pixels" and min(len(section) for section in sections) < 2:
            msg = "thitogene on pixels expects sections of at least 2 spots (batch norm), found one of 1: leave it out"
            raise InputError(msg)
        table = SlideTable.build(sections, [self._inputs(section.tiles) for section in sections], space=self.space_)
        if self.standardise:
            self.mean_, self.spread_ = table.expression_mean(), table.expression_spread()
        n_positions = table_rows([one.position for one in table.inputs], n_positions=self.n_positions)
        self.sizes_ = self._sizes(n_positions)
        self.models_ = [self._train(table, number) for number in range(self.n_models)]

    def _published(self, n_genes: int) -> THItoGeneNet:
        self.space_.require_log(f"a checkpoint of {self.name}")
        model, self.sizes_ = load_thitogene(Path(self.checkpoint))
        if self.sizes_.n_genes != n_genes:
            msg = (
                f"a panel of {self.sizes_.n_genes} genes, in the order the checkpoint was fitted on, expected, "
                f"found {n_genes}: give that list of genes"
            )
            raise InputError(msg)
        return model.to(torch_device(self.device))

    def _sizes(self, n_positions: int) -> Sizes:
        return Sizes(
            n_genes=len(self.space_.genes),
            n_positions=n_positions,
            n_capsules=self.n_capsules,
            capsule_dim=self.capsule_dim,
            depth=self.depth,
            n_heads=self.n_heads,
            hidden=self.mlp_dim,
            graph_heads=self.graph_heads,
            graph_dim=self.graph_dim,
            graph_out=self.graph_out,
            head_hidden=self.head_dim,
        )

    def _moments(self, table: SlideTable) -> tuple[Tensor, Tensor] | None:
        return table.feature_moments(standardise=not self.slide_scale) if self.image == "features" else None

    def _build(self, moments: tuple[Tensor, Tensor] | None) -> THItoGeneNet:
        """Build a network; `moments` are (mean, spread) of the features, None for pixels."""
        sizes = self.sizes_
        n_values = sizes.n_capsules * sizes.capsule_dim
        image: nn.Module = (
            CapsuleEncoder(sizes.n_capsules, sizes.capsule_dim, scale=self.pixel_scale)
            if moments is None
            else FeatureEmbedding(*moments, dim=n_values, dropout=self.dropout)
        )
        return THItoGeneNet(image, sizes, dropout=self.dropout)

    def _train(self, table: SlideTable, number: int) -> THItoGeneNet:
        seed, device = self.seed + number, torch_device(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
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
            seed=seed,
        )
        folder = None if self._workdir is None else self._workdir / f"model_{number}"
        label = f"thitogene {number + 1}/{self.n_models}"
        fit_slides(model, table, loss, options=options, workdir=folder, label=label)
        return model

    @torch.inference_mode()
    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        inputs = self._inputs(tiles)
        table_rows([inputs.position], n_positions=self.sizes_.n_positions)
        inputs = inputs.to(torch_device(self.device))
        mean = torch.stack([model.eval()(inputs) for model in self.models_]).mean(dim=0).cpu()
        return (mean * self.spread_ + self.mean_).numpy()

    def _get_state(self) -> State:
        arrays = {"mean": self.mean_.numpy(), "spread": self.spread_.numpy()}
        for number, model in enumerate(self.models_):
            arrays |= {f"model.{number}.{name}": array for name, array in flat_state(model).items()}
        return State(arrays=arrays, meta={"sizes": asdict(self.sizes_)}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.sizes_ = stored_part(state, "sizes", Sizes)
        if self.sizes_.n_genes != len(self.genes_):
            msg = f"a network of {len(self.genes_)} genes expected, found {self.sizes_.n_genes}: copy the model again"
            raise InputError(msg)
        mean_spread = stored_arrays(state, {"mean": "genes", "spread": "genes"}, genes=len(self.genes_))
        self.mean_, self.spread_ = (torch.from_numpy(np.array(array)) for array in mean_spread)
        self.models_ = []
        for number in range(1 if self.checkpoint else self.n_models):
            weights = unflatten(state.arrays, f"model.{number}.")
            moments = (weights["image.mean"], weights["image.spread"]) if self.image == "features" else None
            model = self._build(moments)
            model.load_state_dict(weights)
            self.models_.append(model.eval().to(torch_device(self.device)))
