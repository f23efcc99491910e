"""ST-GCHB (arXiv 2406.12229): graphs of tiles and of spots aligned by contrast, under an HSIC bottleneck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_patients, stored_texts
from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.aligned_graphs import AlignedGraphs, Branch, Gather
from mclstexp.nn.device import torch_device
from mclstexp.nn.hsic import hsic_bottleneck
from mclstexp.nn.losses import contrastive_loss, soft_targets
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.training.aligned import SpotTable, fit_reduction, flat_state, unflatten
from mclstexp.training.infomax import fit_infomax
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown

EMBED_ROWS = 1024
"""Tiles whose neighbours are gathered at once: bounds the memory on a whole slide."""


@register("st_gchb")
@dataclass
class STGCHB(FeaturePredictor):
    """Tiles and measured spots, each seen with their neighbours, aligned by contrast; expression retrieved.

    One graph convolution over tiles and one over spots, each pre-trained by deep graph infomax; then both and their
    heads are fitted by BLEEP's loss with soft targets and, per branch, nHSIC(X, Z) - β nHSIC(P, Z): X what the
    branch reads at the spot, Z its graph embedding, P its projected one. The expression of a tile is the mean over
    the spots of largest cosine. The published code differs, and on purpose this does not follow it, where it

    - reads Harmony's matrices and their PCA, made over all sections: here components of the training spots'
      standardised expression;
    - fits a ResNet-50 to its 1000 ImageNet classes along with the graphs: here the encoder's features are frozen;
    - leaves the second HSIC term of the image unnormalised: here both branches have the same terms;
    - sums over neighbours, so that a tile at the border gets less: here their mean (`gather`);
    - computes the whole slide for every batch of 16: here each spot gathers its own neighbours, which is the same;
    - weighs retrieved spots, in one of its variants, by softmax of *minus* the similarity: here all alike, its other.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "encoder": "resnet50",
            "n_components": 813,
            "hidden": 256,
            "dim": 128,
            "n_neighbours": 5,
            "neighbour_radius_um": float("inf"),
            "gather": "sum",
            "dropout": 0.4,
            "pretraining_epochs": 50,
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 1e-3,
            "weight_decay": 1e-3,
            "schedule": "constant",
            "temperature": 1.0,
            "beta": 25.0,
            "sigma": 10.0,
            "k": 50,
        }
    }

    n_components: int = 128
    """Principal components of its features, and of the standardised expression, that the graphs see."""
    n_neighbours: int = 5
    """Neighbours a tile or spot is seen with."""
    neighbour_radius_um: float = 300.0
    """No farther than this (µm)."""
    gather: Gather = "mean"
    """How a graph convolution joins neighbours: "mean", or "sum" as published."""
    hidden: int = 256
    """Length of the graph embedding."""
    dim: int = 128
    """Length of the projected embedding."""
    dropout: float = 0.4
    """Share dropped in the heads in training."""
    pretraining_epochs: int = 50
    """Passes over the sections by deep graph infomax, for each branch; 0 for none."""
    epochs: int = 40
    """Passes over the training spots."""
    batch_size: int = 64
    """Spots contrasted with each other."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-3
    """Decoupled weight decay."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate: warm-up and cosine, or "constant" and gradients of any length, as published."""
    temperature: float = 1.0
    """Of logits and soft targets; embeddings are not scaled to unit length there, their length is about √dim."""
    beta: float = 25.0
    """Weight of what the graph embedding shares with the projected one, against what it shares with the input."""
    sigma: float = 10.0
    """Width of the Gaussian kernels."""
    k: int = 50
    """Spots retrieved for a tile."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_components", "n_neighbours", "hidden", "dim", "batch_size", "k"):
            if getattr(self, name) < 1:
                msg = f"st_gchb option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        for name in ("temperature", "sigma", "neighbour_radius_um"):
            if not getattr(self, name) > 0:
                msg = f"st_gchb option {name} must be positive, found {getattr(self, name)}"
                raise InputError(msg)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return self.neighbour_radius_um + self.sight.context_um

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections)
        table = SpotTable.build(
            sections,
            [self.space_(section.counts) for section in sections],
            n_neighbours=self.n_neighbours,
            radius_um=self.neighbour_radius_um,
        )
        expression = table.standardised.numpy()
        self.centre_, self.components_ = fit_reduction(
            features, n_components=self.n_components, seed=self.seed, standardise=not self.slide_scale
        )
        centre, components = fit_reduction(expression, n_components=self.n_components, seed=self.seed)
        device = torch_device(self.device)
        nodes: dict[Branch, Tensor] = {
            "image": torch.from_numpy((features - self.centre_) @ self.components_).to(device),
            "spot": torch.from_numpy((expression - centre) @ components).to(device),
        }
        near = table.index.to(device), table.present.to(device)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self._build(components.shape[1])
        self._pretrain(nodes, near, [len(section) for section in sections])
        self._align(nodes, near)
        keys = self._project("spot", nodes["spot"], near)
        self.bank_ = ReferenceBank(keys, table.expression, section_ids=table.section_ids, patients=table.patients)

    def _build(self, n_expression: int) -> None:
        model = AlignedGraphs(
            self.components_.shape[1],
            n_expression,
            hidden=self.hidden,
            dim=self.dim,
            dropout=self.dropout,
            gather=self.gather,
        )
        self.model_ = model.to(torch_device(self.device)).eval()

    def _pretrain(self, nodes: dict[Branch, Tensor], near: tuple[Tensor, Tensor], lengths: list[int]) -> None:
        rows = torch.arange(sum(lengths), device=near[0].device).split(lengths)
        options = TrainingOptions(
            epochs=self.pretraining_epochs,
            batch_size=1,
            learning_rate=1e-3,
            weight_decay=0.0,
            schedule="constant",
            clip_norm=None,
            seed=self.seed,
        )
        for branch, values in nodes.items():
            fit_infomax(
                self.model_.encoders[branch],
                values,
                near,
                sections=rows,
                options=options,
                workdir=None if self._workdir is None else self._workdir / f"infomax_{branch}",
                label=f"st_gchb: {branch} graph",
            )

    def _align(self, nodes: dict[Branch, Tensor], near: tuple[Tensor, Tensor]) -> None:
        index, present = near
        published = self.schedule == "constant"
        options = TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            clip_norm=None if published else 1.0,
            drop_last=not published,
            seed=self.seed,
        )

        def step(rows: Tensor) -> Tensor:
            projected, bottleneck = {}, torch.zeros((), device=index.device)
            for branch, values in nodes.items():
                hidden, projected[branch] = self.model_(branch, values[index[rows]], present[rows])
                bottleneck = bottleneck + hsic_bottleneck(
                    values[rows], hidden, projected[branch], beta=self.beta, sigma=self.sigma
                )
            targets = soft_targets(projected["image"], projected["spot"], temperature=self.temperature)
            logits = projected["spot"] @ projected["image"].T / self.temperature
            return contrastive_loss(logits, targets=targets) + bottleneck

        folder = None if self._workdir is None else self._workdir / "aligned"
        train_shown(self.model_, step, len(index), options=options, workdir=folder, label="st_gchb")

    @torch.inference_mode()
    def _project(self, branch: Branch, nodes: Tensor, near: tuple[Tensor, Tensor]) -> Float[np.ndarray, "n dim"]:
        self.model_.eval()
        parts = [
            self.model_(branch, nodes[index], present)[1].cpu()
            for index, present in zip(near[0].split(EMBED_ROWS), near[1].split(EMBED_ROWS), strict=True)
        ]
        return torch.cat(parts).numpy()

    def _queries(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles dim"]:
        device = torch_device(self.device)
        features = (self._look(tiles, n_features=len(self.centre_)) - self.centre_) @ self.components_
        found = find_neighbours(tiles.xy_um, n_neighbours=self.n_neighbours, radius_um=self.neighbour_radius_um)
        near = torch.from_numpy(found.index).to(device), torch.from_numpy(found.present).to(device)
        return self._project("image", torch.from_numpy(features).to(device), near)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return self.bank_.query(self._queries(tiles), k=self.k, device=str(torch_device(self.device)))

    def _reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        return self.bank_.distance(self._queries(tiles), device=str(torch_device(self.device)))

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        return (self.bank_.retrieve(self._queries(tiles), k=self.k, device=str(torch_device(self.device))),)

    def _get_state(self) -> State:
        arrays = {"centre": self.centre_, "components": self.components_}
        arrays |= {"bank.keys": self.bank_.keys, "bank.expression": self.bank_.expression}
        arrays |= {f"model.{name}": array for name, array in flat_state(self.model_).items()}
        origins = {"section_ids": list(self.bank_.section_ids), "patients": list(self.bank_.patients)}
        return State(arrays=arrays, meta=origins).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"centre": "features", "components": "features components"}
        self.centre_, self.components_ = stored_arrays(state, layout)
        weights = unflatten(state.arrays, "model.")
        self._build(weights["encoders.spot.layer.linear.weight"].shape[1])
        self.model_.load_state_dict(weights)
        keys, expression = stored_arrays(
            state, {"bank.keys": "spots dim", "bank.expression": "spots genes"}, genes=len(self.genes_)
        )
        self.bank_ = ReferenceBank(
            keys=keys,
            expression=expression,
            section_ids=stored_texts(state, "section_ids"),
            patients=stored_patients(state),
        )
