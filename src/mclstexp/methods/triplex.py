"""TRIPLEX (Chung et al., CVPR 2024): a tile's parts, its surroundings and its whole slide, fused by attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.position import array_positions
from mclstexp.nn.triplex import Triplex, TriplexSizes
from mclstexp.sight.scene import Scene, ScenePredictor, join
from mclstexp.training.aligned import fit_reduction, flat_state, unflatten
from mclstexp.training.choice import choose, mean_pcc
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.scenes import SceneTable, fit_triplex

EPOCHS = (20, 40)
"""What is tried on held-out training sections where `epochs` is left open."""
_BATCH = 512


@register("triplex")
@dataclass
class TriplexMethod(ScenePredictor):
    """Three encoders over frozen features, fused: the tile's token of the whole slide asks its parts and its window.

    As published (section 3): the target encoder's tokens, the neighbour encoder (learned relative attention bias),
    the global encoder (all tiles of the slide; APEG), fusion by one shared cross encoder, four linear heads, and the
    loss MSE(ŷ, y) + Σ (1 - α) MSE(ŷ_b, y) + α MSE(ŷ, ŷ_b). What differs:

    - The target's tokens are the frozen features of its parts, where the published 49 tokens come from a ResNet-18
      that is fitted too.
    - Length of training is chosen on held-out training sections. The published code stops, lowers the learning rate
      and keeps checkpoints by the test fold.
    - Expression is not smoothed over neighbouring spots; the published targets are, the test's truth too.
    - Dropout is off in prediction; in the published code attention without bias never leaves training mode.
    - Every slide has its own grid; the published APEG keeps the size of the first for all others, and its mask of
      empty cells is always true. Here empty cells are zero.
    - A window's tiles beyond the slide are white pixels, so there is no mask of edges.
    - Predictions are not cut at 0: an expression space may hold negative numbers.
    - Targets are standardised per gene, features reduced to principal components, the window is 3 × 3 instead of
      5 × 5 (as good on real sections, and a third of the embeddings), the sizes are smaller and two networks are
      averaged (none of this in the preset).
    """

    tuned_on: ClassVar[tuple[str, ...]] = ("mob_st",)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "window_side": 5,
            "n_components": None,
            "standardise": False,
            "dim": 512,
            "depths": (1, 3, 3),
            "heads": (4, 16, 16),
            "mlp_ratios": (4.0, 4.0, 1.0),
            "dropouts": (0.2, 0.1, 0.3),
            "dropout_in": 0.0,
            "n_models": 1,
            "batch_size": 128,
            "learning_rate": 1e-4,
            "weight_decay": 1e-2,
            "schedule": "constant",
        }
    }

    n_components: int | None = 128
    """Principal components of the features that the encoders see; None: the features themselves."""
    standardise: bool = True
    """Errors count in standard deviations of a gene over the training spots; otherwise as they are."""
    dim: int = 128
    """Length of a token."""
    depths: tuple[int, ...] = (1, 2, 1)
    """Layers of fusion, global and neighbour encoder."""
    heads: tuple[int, ...] = (4, 4, 4)
    """Attention heads of the three."""
    mlp_ratios: tuple[float, ...] = (2.0, 2.0, 1.0)
    """Inner length of their feed-forward parts over `dim`."""
    dropouts: tuple[float, ...] = (0.2, 0.2, 0.3)
    """Their dropout."""
    dropout_in: float = 0.5
    """Share of every input feature dropped in training."""
    alpha: float = 0.3
    """Weight of the branches' distance from the fused prediction, in 0 to 1."""
    n_models: int = 2
    """Networks fitted with different seeds; predictions are averaged."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections."""
    batch_size: int = 64
    """Spots in a batch, of one section."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """Decoupled weight decay."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("parts_side", "n_components", "dim", "n_models", "epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"triplex option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        for name in ("depths", "heads", "mlp_ratios", "dropouts"):
            values = tuple(getattr(self, name))
            setattr(self, name, values)
            if len(values) != 3:
                msg = f"triplex option {name} must be three numbers (fusion, global, neighbour), found {values}"
                raise InputError(msg)
        if self.window_side < 1 or self.window_side % 2 == 0:
            msg = f"triplex option window_side must be a positive odd number, found {self.window_side}"
            raise InputError(msg)
        if not 0 <= self.alpha <= 1:
            msg = f"triplex option alpha must lie in 0 to 1, found {self.alpha}"
            raise InputError(msg)
        if any(self.dim % heads for heads in self.heads):
            msg = f"triplex option dim must divide by every number of heads, found {self.dim} and {self.heads}"
            raise InputError(msg)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles: the global encoder sees all that are asked."""
        return math.inf

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        scenes = {section.id: self._scene(section.tiles) for section in sections}

        def score(fitted_on: list[Section], held_out: list[Section], epochs: int) -> float:
            self._train(fitted_on, scenes, epochs=epochs, n_models=1, workdir=None)
            return mean_pcc(held_out, lambda s: self._apply(scenes[s.id], array_positions(s.tiles)), space=self.space_)

        tried = EPOCHS if self.epochs is None else (self.epochs,)
        self.epochs_ = choose(sections, tried, score, usual=EPOCHS[-1], seed=self.seed)
        self._train(sections, scenes, epochs=self.epochs_, n_models=self.n_models, workdir=self._workdir)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        position = array_positions(tiles)
        return self._apply(self._scene(tiles), position)

    def _train(
        self,
        sections: Sequence[Section],
        scenes: Mapping[str, Scene],
        *,
        epochs: int,
        n_models: int,
        workdir: Path | None,
    ) -> None:
        """Fit reduction, scale and networks on these sections."""
        positions = [array_positions(section.tiles) for section in sections]
        scene = join([scenes[section.id] for section in sections])
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        self.mean_, self.spread_ = (np.full(len(self.genes_), value, np.float32) for value in (0, 1))
        if self.standardise:
            self.mean_, spread = expression.mean(axis=0), expression.std(axis=0)
            self.spread_ = np.where(spread > 0, spread, 1).astype(np.float32)
        self.reduction_: tuple[np.ndarray, ...] = ()
        if self.n_components is not None:
            self.reduction_ = fit_reduction(
                scene.own, n_components=self.n_components, seed=self.seed, standardise=not self.slide_scale
            )
        scene = self._reduced(scene)
        truth = (expression - self.mean_) / self.spread_
        table = SceneTable(*map(torch.from_numpy, (scene.parts, scene.places, scene.index, truth)))
        self.models_ = []
        for number in range(n_models):
            seed = self.seed + number
            model = Triplex.build(table.places.shape[1], len(self.genes_), sizes=self._sizes(), seed=seed)
            model.to(torch_device(self.device))
            fit_triplex(
                model,
                table,
                positions,
                options=self._options(epochs, seed=seed),
                alpha=self.alpha,
                workdir=None if workdir is None else workdir / f"model_{number}",
                label=f"triplex {number + 1}/{n_models}",
            )
            self.models_.append(model)

    def _options(self, epochs: int, *, seed: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            drop_last=False,
            seed=seed,
        )

    def _sizes(self) -> TriplexSizes:
        return TriplexSizes(
            dim=self.dim,
            n_side=self.window_side,
            depths=self.depths,
            heads=self.heads,
            mlp_ratios=self.mlp_ratios,
            dropouts=self.dropouts,
            dropout_in=self.dropout_in,
        )

    def _reduced(self, scene: Scene) -> Scene:
        return scene.reduced(*self.reduction_) if self.reduction_ else scene

    @torch.inference_mode()
    def _apply(self, scene: Scene, position: Int[Tensor, "n_tiles 2"]) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Average the networks; back to the expression space."""
        scene, device = self._reduced(scene), torch_device(self.device)
        places, parts, own = (torch.from_numpy(x).to(device) for x in (scene.places, scene.parts, scene.own))
        index = torch.from_numpy(scene.index).to(device)
        total = np.zeros((len(scene), len(self.genes_)))
        for model in self.models_ if len(scene) else ():
            slide = model.eval().encode_slide(own, position.to(device))
            for rows in torch.arange(len(scene)).split(_BATCH):
                output = model.fuse(parts[rows], places[index[rows]], slide[rows])
                total[rows.numpy()] += output.fused.double().cpu().numpy()
        return np.asarray(total / len(self.models_) * self.spread_ + self.mean_, np.float32)

    def _get_state(self) -> State:
        arrays = {"mean": self.mean_, "spread": self.spread_}
        arrays |= dict(zip(("reduction.mean", "reduction.components"), self.reduction_, strict=False))
        for number, model in enumerate(self.models_):
            arrays |= {f"model_{number}.{name}": array for name, array in flat_state(model).items()}
        meta = {"epochs": self.epochs_, "n_models": len(self.models_)}
        return State(arrays=arrays, meta=meta).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.epochs_ = stored_number(state, "epochs")
        layout = {"mean": "genes", "spread": "genes"}
        self.mean_, self.spread_ = stored_arrays(state, layout, genes=len(self.genes_))
        reduction = {"reduction.mean": "features", "reduction.components": "features components"}
        self.reduction_ = tuple(stored_arrays(state, reduction)) if reduction.keys() & state.arrays.keys() else ()
        self.models_ = []
        for number in range(stored_number(state, "n_models", low=1)):
            weights = unflatten(state.arrays, f"model_{number}.")
            in_dim = weights["to_target.weight"].shape[1]
            model = Triplex.build(in_dim, len(self.genes_), sizes=self._sizes(), seed=0)
            model.load_state_dict(weights)
            self.models_.append(model.eval().to(torch_device(self.device)))
