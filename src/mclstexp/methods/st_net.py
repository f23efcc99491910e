"""ST-Net (He et al., Nature Biomedical Engineering 2020): one linear layer on the features of a tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number
from mclstexp.core.tiles import Tiles
from mclstexp.nn.device import torch_device
from mclstexp.nn.heads import Standardise
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder, untrained_encoder
from mclstexp.nn.st_net import StNet, load_st_net
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.sight.symmetries import N_SYMMETRIES, turned
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.augment import symmetries as any_symmetry
from mclstexp.training.choice import choose, mean_pcc
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.spots import fit_st_net
from mclstexp.training.tile_batches import TileBatches

EPOCHS = (5, 10, 20, 40)
"""What is tried on held-out training sections where `epochs` is left open."""
USUAL_EPOCHS = 20


@register("st_net")
@dataclass
class StNetRegression(FeaturePredictor):
    """A linear layer on image features that starts at the mean expression; tiles are seen in all eight symmetries.

    As published (He et al. 2020, Methods, and its release): zero weights, the bias at the training mean,
    squared error summed over the batch, a random turn and reflection of each tile in training and the mean over all
    eight in prediction. What differs by default, and in the preset "published" does not: the encoder is frozen and
    its features standardised, AdamW fits the layer, and epochs are chosen on held-out training sections (published:
    SGD, end to end, by nested cross-validation over patients).

    What differs in the preset too: the target is the space's, where the release takes ln((1 + c) / (n + Σc)) over
    all n genes; and colours are scaled as the encoder's weights expect, where the release estimates their mean and
    spread from a few training batches.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "encoder": "densenet121.tv_in1k",
            "train_encoder": True,
            "optimiser": "sgd",
            "epochs": 50,
            "batch_size": 32,
            "learning_rate": 1e-6,
            "weight_decay": 0.0,
            "schedule": "constant",
        }
    }

    train_encoder: bool = False
    """Fit the image encoder too, end to end (a GPU's work)."""
    checkpoint: str = ""
    """A checkpoint of the authors' training script (DenseNet-121), taken as it is: fitting learns nothing, and only
    `symmetries` and `device` still count. Its shares of the panel's total are turned into the space."""
    symmetries: bool = True
    """Look at each tile turned and mirrored in eight ways: eight times the work of embedding, once where features are
    cached."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """"sgd" (momentum 0.9) as published."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections, 20 where there is but one."""
    batch_size: int = 128
    """Spots in a batch."""
    learning_rate: float = 1e-4
    """Peak learning rate; with "sgd" it is felt in proportion to the batch, over which errors are summed."""
    weight_decay: float = 1e-2
    """Decoupled for "adamw", added to the gradient for "sgd"."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"st_net option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections, frozen=not self.checkpoint)
        if self.checkpoint:
            self.epochs_, self.model_ = 0, self._loaded()
            return
        tried = EPOCHS if self.epochs is None else (self.epochs,)
        self.epochs_ = choose(sections, tried, self._score, usual=USUAL_EPOCHS, seed=self.seed)
        self.model_ = self._train(sections, epochs=self.epochs_, tuned=self.train_encoder, workdir=self._workdir)
        if self._tuned:
            self.seen_ = None  # its own backbone looks from here on

    @property
    def _tuned(self) -> bool:
        return self.train_encoder or bool(self.checkpoint)

    def _score(self, fitted_on: list[Section], held_out: list[Section], epochs: int) -> float:
        # on frozen features even where the encoder is to be tuned: end to end it would cost as much as the fit
        model = self._train(fitted_on, epochs=epochs, tuned=False)
        return mean_pcc(held_out, lambda s: self._apply(model, self._averaged(s.tiles)), space=self.space_)

    def _train(self, sections: Sequence[Section], *, epochs: int, tuned: bool, workdir: Path | None = None) -> StNet:
        device = torch_device(self.device)
        expression = torch.from_numpy(np.concatenate([self.space_(section.counts) for section in sections]))
        mean = expression.mean(dim=0)
        if tuned:
            backbone = create_encoder(self.encoder)
            model = StNet(backbone, n_features=backbone.dim, mean=mean)
            images = self._tiles_of(sections, device=device)
        else:
            ways = [self._ways(section.tiles) for section in sections]
            features = torch.from_numpy(np.concatenate(ways))
            model = StNet(nn.Identity(), n_features=features.shape[2], mean=mean)
            spread, centre = torch.std_mean(features, dim=(0, 1), correction=0)
            if self.slide_scale:
                spread = torch.ones_like(spread)
            model.scaling = Standardise(centre, spread)
            images = lambda rows: features[rows, torch.randint(features.shape[1], (len(rows),))].to(device)  # noqa: E731
        options = self._training_options(epochs)
        fit_st_net(model.to(device), expression.to(device), images, options=options, workdir=workdir)
        return model

    def _tiles_of(self, sections: Sequence[Section], *, device: torch.device) -> Callable[[Tensor], Tensor]:
        batches = TileBatches([section.tiles for section in sections])
        if self.symmetries:
            return lambda rows: any_symmetry(batches(rows)).to(device)
        return lambda rows: batches(rows).to(device)

    def _ways(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_ways n_features"]:
        return np.stack([self._look(tiles, symmetry=number) for number in range(self._n_ways)], axis=1)

    @property
    def _n_ways(self) -> int:
        """In how many ways a tile is looked at; one where its features are a mean over all of them already."""
        return N_SYMMETRIES if self.symmetries and not self.symmetric else 1

    def _training_options(self, epochs: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            optimiser=self.optimiser,
            schedule=self.schedule,
            clip_norm=None,
            seed=self.seed,
            slow_share=0.1 if self.optimiser == "adamw" else 1.0,  # published: one rate for all
        )

    def _loaded(self) -> StNet:
        model = load_st_net(Path(self.checkpoint))
        n_genes = model.head.out_features
        if n_genes != len(self.space_.genes):
            msg = (
                f"a panel of {n_genes} genes, in the order the checkpoint was fitted on, expected, "
                f"found {len(self.space_.genes)}: give that list of genes"
            )
            raise InputError(msg)
        if self.space_.axis != "spot":
            msg = f'a space with axis "spot" expected for a checkpoint of ST-Net, found {self.space_.axis!r}: change it'
            raise InputError(msg)
        self.space_.require_log("a checkpoint of st_net")
        return model.to(torch_device(self.device))

    def _averaged(self, tiles: Tiles, tuned: ImageEncoder | None = None) -> Float[np.ndarray, "n_tiles n_features"]:
        """Average features over the symmetries, one after the other: a slide's would not fit eight times."""
        total = np.zeros((), np.float64)
        for number in range(self._n_ways):
            if tuned is None:
                total = total + self._look(tiles, symmetry=number).astype(np.float64)
            else:
                total = total + embed_tiles(turned(tiles, number=number), tuned, precision="float32").astype(np.float64)
        return np.asarray(total / self._n_ways, np.float32)

    @torch.inference_mode()
    def _apply(
        self, model: StNet, features: Float[np.ndarray, "n_tiles n_features"]
    ) -> Float[np.ndarray, "n_tiles n_genes"]:
        # the layer is linear: the mean of the features gives the mean of the predictions
        read = model.eval().read(torch.from_numpy(features).to(torch_device(self.device))).cpu()
        if (
            self.checkpoint
        ):  # ln of shares of all genes: their softmax is the share of the panel, which the space scales
            read = torch.log1p(self.space_.target_sum * read.softmax(dim=1)) / math.log(self.space_.log_base)
        return read.numpy()

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        if not self._tuned:
            return self._apply(self.model_, self._averaged(tiles))
        assert isinstance(self.model_.backbone, ImageEncoder)  # `_train` or `_loaded` put it there
        return self._apply(self.model_, self._averaged(tiles, self.model_.backbone))

    def _get_state(self) -> State:
        arrays = {f"model.{name}": array for name, array in flat_state(self.model_).items()}
        return State(arrays=arrays, meta={"epochs": self.epochs_}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.epochs_ = stored_number(state, "epochs")
        stored_arrays(state, {"model.head.bias": "genes"}, genes=len(self.genes_))
        weights = unflatten(state.arrays, "model.")
        name = "densenet121" if self.checkpoint else self.encoder
        backbone = untrained_encoder(name) if self._tuned else nn.Identity()
        n_features = weights["head.weight"].shape[1]
        self.model_ = StNet(backbone, n_features=n_features, mean=weights["head.bias"])
        if "scaling.mean" in weights:
            scaling = dict.fromkeys(("model.scaling.mean", "model.scaling.spread"), "features")
            stored_arrays(state, scaling, features=n_features)
            self.model_.scaling = Standardise(weights["scaling.mean"], weights["scaling.spread"])
        self.model_.load_state_dict(weights)
        self.model_.eval().to(torch_device(self.device))
