"""DeepSpot (Nonchev et al., medRxiv 2025.02.09.25321567): a tile, its parts and its surroundings as deep sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.nn.deep_sets import DeepSets
from mclstexp.nn.device import torch_device
from mclstexp.sight.scene import Scene, ScenePredictor, join
from mclstexp.training.aligned import fit_reduction, flat_state, unflatten
from mclstexp.training.choice import choose, mean_pcc
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.scenes import SceneTable, fit_deep_sets, others

EPOCHS = (20, 40)
"""What is tried on held-out training sections where `epochs` is left open."""
_BATCH = 1024


@register("deepspot")
@dataclass
class DeepSpot(ScenePredictor):
    """Deep sets over frozen features: φ of the tile, the sum of φ over its parts, its maximum around it; then ρ.

    As published (Nonchev et al. 2025 and its release): one φ for the three levels, the median of an
    ensemble; ρ the mean of another; expression standardised over the training spots; squared error. What differs:

    - The surroundings are read from the slide's pixels, white outside. Published neighbours are measured spots, and
      missing ones are zeros that φ turns into ReLU(b) and the maximum lets in.
    - Epochs are chosen on held-out training sections; published: early stopping on the training loss.
    - Features are reduced to principal components and models of several seeds averaged (not in the preset).
    - No resampling by clusters of the training spots.
    """

    tuned_on: ClassVar[tuple[str, ...]] = ("mob_st",)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "window_side": 3,
            "n_components": None,
            "dim": 512,
            "n_members": 10,
            "dropout": 0.3,
            "n_models": 1,
            "epochs": 10,
            "batch_size": 1024,
            "learning_rate": 1e-4,
            "weight_decay": 1e-6,
            "schedule": "constant",
        }
    }

    n_components: int | None = 128
    """Principal components of the features that phi sees; None: the features themselves."""
    dim: int = 128
    """Length of the output of phi."""
    n_members: int = 5
    """Members of phi and of rho."""
    dropout: float = 0.5
    """Share of inputs dropped in phi and rho, in training."""
    out_dropout: float = 0.1
    """Share of outputs dropped in rho, in training."""
    n_models: int = 2
    """Networks fitted with different seeds; predictions are averaged."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections."""
    batch_size: int = 128
    """Spots in a batch."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.1
    """Decoupled weight decay."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("parts_side", "n_components", "dim", "n_members", "n_models", "epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"deepspot option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if self.window_side < 3 or self.window_side % 2 == 0:
            msg = f"deepspot option window_side must be odd and at least 3, found {self.window_side}"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        scenes = {section.id: self._scene(section.tiles) for section in sections}

        def score(fitted_on: list[Section], held_out: list[Section], epochs: int) -> float:
            self._train(fitted_on, scenes, epochs=epochs, n_models=1, workdir=None)
            return mean_pcc(held_out, lambda section: self._apply(scenes[section.id]), space=self.space_)

        tried = EPOCHS if self.epochs is None else (self.epochs,)
        self.epochs_ = choose(sections, tried, score, usual=EPOCHS[-1], seed=self.seed)
        self._train(sections, scenes, epochs=self.epochs_, n_models=self.n_models, workdir=self._workdir)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return self._apply(self._scene(tiles))

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
        scene = join([scenes[section.id] for section in sections])
        expression = np.concatenate([self.space_(section.counts) for section in sections])
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
            model = self._build(table.places.shape[1], seed=self.seed + number)
            folder = None if workdir is None else workdir / f"model_{number}"
            label = f"deepspot {number + 1}/{n_models}"
            fit_deep_sets(model, table, options=self._options(epochs, number=number), workdir=folder, label=label)
            self.models_.append(model)

    def _options(self, epochs: int, *, number: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            drop_last=False,
            seed=self.seed + number,
        )

    def _build(self, in_dim: int, *, seed: int = 0) -> DeepSets:
        sizes = {name: getattr(self, name) for name in ("dim", "n_members", "dropout", "out_dropout")}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return DeepSets(in_dim, len(self.genes_), **sizes).to(torch_device(self.device))

    def _reduced(self, scene: Scene) -> Scene:
        return scene.reduced(*self.reduction_) if self.reduction_ else scene

    @torch.inference_mode()
    def _apply(self, scene: Scene) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Average the networks; back to the expression space."""
        scene, device = self._reduced(scene), torch_device(self.device)
        places, parts = (torch.from_numpy(array).to(device) for array in (scene.places, scene.parts))
        index = torch.from_numpy(scene.index).to(device)
        total = np.zeros((len(scene), len(self.genes_)))
        for rows in torch.arange(len(scene)).split(_BATCH):
            own, around = places[index[rows, index.shape[1] // 2]], places[others(index[rows])]
            for model in self.models_:
                total[rows.numpy()] += model.eval()(own, parts[rows], around).double().cpu().numpy()
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
            model = self._build(weights["phi.members.weight"].shape[1])
            model.load_state_dict(weights)
            self.models_.append(model.eval())
