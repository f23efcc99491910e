"""SEPAL (Mejia et al., arXiv 2309.01036): a tile's own prediction, corrected by a graph of its surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.local_graph import Join, Layer, LocalGraphNetwork, LocalGraphs
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.training.aligned import fit_reduction, flat_state, unflatten
from mclstexp.training.deltas import fit_deltas
from mclstexp.training.loop import TrainingOptions

PREDICT_ROWS = 1024
"""Tiles whose graphs are gathered at once: bounds the memory on a whole slide."""


@register("sepal")
@dataclass
class SEPAL(FeaturePredictor):
    """Difference to the training mean, predicted from the tile, then corrected by a graph network over its neighbours.

    Stage 1 reads the difference off the tile's features; stage 2 adds what a graph network makes of the tiles
    around it. The published code differs, and on purpose this does not follow it, where it

    - completes zeros by an adaptive median filter and corrects batches with ComBat over all sections, test sections
      included: not done, the counts stay what was measured (`masked` leaves the zeros out of the loss);
    - chooses genes by Moran's I over all sections: genes are the panel's business, not the method's;
    - reads the node that SAGPooling(ratio=1) keeps, which need not be the centre, and puts an ELU behind the last
      layer: here the centre is read, by a linear layer;
    - fits the image encoder (ViT-B/16) in stage 1: here its features are frozen;
    - numbers neighbours by array coordinates: here they are offsets in µm among the tiles asked for.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "encoder": "vit_base_patch16_224",
            "n_components": 768,  # all of them: the features, rotated
            "radius_um": 120.0,  # Visium's pitch is 100 µm
            "hops": 1,
            "n_neighbours": 6,
            "layer": "gcn",
            "widths": (512, 256, 128),
            "local_epochs": 50,
            "local_learning_rate": 1e-4,
            "epochs": 300,
            "learning_rate": 1e-5,
            "batch_size": 256,
            "weight_decay": 0.0,  # AdamW without it is Adam
            "dropout": 0.0,
            "schedule": "constant",
            "masked": True,
        }
    }

    n_components: int = 64
    """Principal components of its features that both stages see."""
    head_width: int = 0
    """Hidden width of the first stage's head; 0: linear."""
    radius_um: float = 300.0
    """Tiles so near to each other (µm) are joined by an edge."""
    hops: int = 2
    """The graph of a tile reaches so many radii."""
    n_neighbours: int = 24
    """At most so many neighbours in it, the nearest."""
    layer: Layer = "graph_conv"
    """Graph layers: "gcn" (published for Visium), or "graph_conv" (for ST-Net), with own weights for a node itself."""
    widths: tuple[int, ...] = (128, 128, 128)
    """Width of a node before the graph layers, then after each."""
    join: Join = "concat"
    """How a node's position joins its features: "concat" or "sum"."""
    dropout: float = 0.5
    """Share of features dropped in training, in both stages."""
    local_epochs: int = 10
    """Passes over the training spots in stage 1."""
    local_learning_rate: float = 3e-4
    """Peak learning rate of stage 1."""
    epochs: int = 40
    """Passes in stage 2; 0 for none."""
    learning_rate: float = 1e-3
    """Peak learning rate of stage 2."""
    weight_decay: float = 1e-2
    """Decoupled weight decay in both stages."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate: warm-up and cosine, or "constant" and gradients of any length, as published."""
    batch_size: int = 128
    """Spots in a batch."""
    masked: bool = False
    """Count the error only where a count is above zero, as published; zeros are measured too, so not by default."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.widths = tuple(self.widths)
        for name in ("n_components", "hops", "n_neighbours", "batch_size"):
            if getattr(self, name) < 1:
                msg = f"sepal option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if not self.widths or min(self.widths) < 1:
            msg = f"sepal option widths must be one positive width or more, found {self.widths}"
            raise InputError(msg)
        if not 0 < self.radius_um < np.inf:
            msg = f"sepal option radius_um must be a positive number of µm, found {self.radius_um}"
            raise InputError(msg)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return self.hops * self.radius_um + self.sight.context_um

    def _counted(self, sections: Sequence[Section]) -> Bool[torch.Tensor, "n_spots n_genes"]:
        return torch.from_numpy(np.concatenate([self.space_.counts(section.counts) > 0 for section in sections]))

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections)
        features = self._look_at(sections)
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        self.mean_ = expression.mean(axis=0)
        self.centre_, self.components_ = fit_reduction(
            features, n_components=self.n_components, seed=self.seed, standardise=not self.slide_scale
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self._build()
        local, graph, graphs = self.local_, self.graph_, self._graphs(features, [s.tiles for s in sections])
        delta = torch.from_numpy(expression - self.mean_).to(graphs.nodes.device)
        counted = self._counted(sections).to(delta.device) if self.masked else None
        options, folder = self._training_options(), self._workdir
        fit_deltas(
            local,
            lambda rows: local(graphs.nodes[rows]),
            delta,
            counted=counted,
            options=replace(options, epochs=self.local_epochs, learning_rate=self.local_learning_rate),
            workdir=None if folder is None else folder / "local",
            label="sepal: tiles",
        )
        with torch.no_grad():
            base = local(graphs.nodes)
        fit_deltas(
            graph,
            lambda rows: base[rows] + graph(*graphs.around(rows)),
            delta,
            counted=counted,
            options=options,
            workdir=None if folder is None else folder / "graph",
            label="sepal: surroundings",
        )

    def _training_options(self) -> TrainingOptions:
        published = self.schedule == "constant"
        return TrainingOptions(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            clip_norm=None if published else 1.0,
            drop_last=not published,
            seed=self.seed,
        )

    def _build(self) -> None:
        """Make both networks, for as many features and genes as `components_` and `mean_` have."""
        n_features, n_genes = self.components_.shape[1], len(self.mean_)
        layers: list[nn.Module] = [nn.Dropout(self.dropout)]
        width = n_features
        if self.head_width:
            width = self.head_width
            layers += [nn.Linear(n_features, width), nn.GELU(), nn.Dropout(self.dropout)]
        last = nn.Linear(width, n_genes)
        nn.init.zeros_(last.weight)  # starts at the training mean
        nn.init.zeros_(last.bias)
        graph = LocalGraphNetwork(
            n_features,
            n_genes,
            widths=self.widths,
            layer=self.layer,
            join=self.join,
            radius_um=self.radius_um,
            dropout=self.dropout,
        )
        device = torch_device(self.device)
        self.local_ = nn.Sequential(*layers, last).to(device).eval()
        self.graph_ = graph.to(device).eval()

    def _graphs(self, features: Float[np.ndarray, "n_tiles n_features"], tiles: Sequence[Tiles]) -> LocalGraphs:
        reduced = ((features - self.centre_) @ self.components_).astype(np.float32)
        return LocalGraphs.build(
            reduced,
            [t.xy_um for t in tiles],
            n_neighbours=self.n_neighbours,
            reach_um=self.hops * self.radius_um,
            device=torch_device(self.device),
        )

    @torch.inference_mode()
    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        graphs = self._graphs(self._look(tiles, n_features=len(self.centre_)), [tiles])
        parts = []
        for rows in torch.arange(len(tiles), device=graphs.nodes.device).split(PREDICT_ROWS):
            delta = self.local_(graphs.nodes[rows]) + self.graph_(*graphs.around(rows))
            parts.append(delta.cpu().numpy())
        return np.concatenate(parts) + self.mean_

    def _get_state(self) -> State:
        arrays = {"mean": self.mean_, "centre": self.centre_, "components": self.components_}
        for prefix, module in (("local", self.local_), ("graph", self.graph_)):
            arrays |= {f"{prefix}.{name}": array for name, array in flat_state(module).items()}
        return State(arrays=arrays, meta={}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        layout = {"mean": "genes", "centre": "features", "components": "features components"}
        self.mean_, self.centre_, self.components_ = stored_arrays(state, layout, genes=len(self.genes_))
        self._build()
        self.local_.load_state_dict(unflatten(state.arrays, "local."))
        self.graph_.load_state_dict(unflatten(state.arrays, "graph."))
