"""BLEEP (Xie et al., NeurIPS 2023): tiles and spots aligned by soft targets; expression retrieved."""

from __future__ import annotations

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
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number, stored_patients, stored_texts
from mclstexp.core.tiles import Tiles
from mclstexp.nn.bleep import BleepModel, load_bleep
from mclstexp.nn.device import torch_device
from mclstexp.nn.heads import Reduction, Standardise
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder, untrained_encoder
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.training.aligned import fit_reduction, flat_state, unflatten
from mclstexp.training.augment import symmetries
from mclstexp.training.choice import choose, mean_pcc
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.spots import fit_bleep
from mclstexp.training.tile_batches import TileBatches

EPOCHS = (5, 10, 20, 40)
"""What is tried on held-out training sections where `epochs` is left open."""
USUAL_EPOCHS = 10


@register("bleep")
@dataclass
class Bleep(FeaturePredictor):
    """Tiles and expression through a projection head each, aligned by contrast; the mean of the 50 nearest spots.

    As published (Xie et al. 2023, §3, and its release): heads, soft targets softmax((VVᵀ + SSᵀ) / 2τ)
    through which the gradient passes, retrieval by cosine among all training spots. What differs by default, and in
    the preset "published" does not:

    - The image encoder is frozen and its features reduced to principal components.
    - Expression enters standardised per gene; loss and retrieval compare the same cosines, at temperature 0.3.
      Published: plain products at temperature 1, although retrieval then goes by cosine.
    - Epochs are chosen on held-out training sections; published: 4, the best of them on random spots of the
      training slides.

    What differs in the preset too: genes and scale are the space's, learnt from training sections. The release chose
    genes on all slides and corrected all of them together (Harmony), the test slide included. Tiles are RGB,
    normalised as the encoder's weights expect; the version behind the paper fed BGR from 0 to 255.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "encoder": "resnet50",
            "train_encoder": True,
            "n_components": None,
            "standardise": False,
            "temperature": 1.0,
            "unit_length": False,
            "epochs": 4,
            "batch_size": 256,
            "weight_decay": 1e-3,
            "schedule": "constant",
        }
    }

    train_encoder: bool = False
    """Fit the image encoder too, end to end (a GPU's work), on turned and mirrored tiles."""
    checkpoint: str = ""
    """A checkpoint of the authors' training script with the architecture `encoder`, taken as it is: fitting then
    builds the bank alone, and options of training, reduction and standardising say nothing."""
    n_components: int | None = 128
    """Principal components of the features that the head sees; None: the features themselves."""
    standardise: bool = True
    """Show the spot head expression of mean 0 and spread 1 per gene; otherwise as it is."""
    dim: int = 256
    """Length of the embeddings."""
    dropout: float = 0.1
    """Share dropped in the heads, in training."""
    temperature: float = 0.3
    """Of logits and targets."""
    unit_length: bool = True
    """Compare by cosine in the loss; otherwise by the plain product."""
    k: int = 50
    """Spots retrieved for a tile."""
    weights: Literal["uniform", "gaussian"] = "uniform"
    """"uniform": spots count alike (the published "average"; with k = 1 its "simple"); "gaussian": by exp(-distance²)
    ("weighted_average")."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections, 10 where there is but one."""
    batch_size: int = 128
    """Spots contrasted with each other."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
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
        for name in ("n_components", "dim", "k", "epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"bleep option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if not self.temperature > 0:
            msg = f"bleep option temperature must be positive, found {self.temperature}"
            raise InputError(msg)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections, frozen=not self.checkpoint)
        if self.checkpoint:
            self.epochs_, self.model_ = 0, self._loaded()
        else:
            tried = EPOCHS if self.epochs is None else (self.epochs,)
            self.epochs_ = choose(sections, tried, self._score, usual=USUAL_EPOCHS, seed=self.seed)
            self.model_ = self._train(sections, epochs=self.epochs_, tuned=self.train_encoder, workdir=self._workdir)
        if self._tuned:
            self.seen_ = None  # its own backbone looks from here on
        self.bank_ = self._bank(self.model_, sections)

    @property
    def _tuned(self) -> bool:
        return self.train_encoder or bool(self.checkpoint)

    def _score(self, fitted_on: list[Section], held_out: list[Section], epochs: int) -> float:
        # on frozen features even where the encoder is to be tuned: end to end it would cost as much as the fit
        model = self._train(fitted_on, epochs=epochs, tuned=False)
        bank = self._bank(model, fitted_on)
        features = {section.id: self._look(section.tiles) for section in held_out}
        return mean_pcc(held_out, lambda section: self._retrieve(model, bank, features[section.id]), space=self.space_)

    def _train(
        self, sections: Sequence[Section], *, epochs: int, tuned: bool, workdir: Path | None = None
    ) -> BleepModel:
        device, expression = torch_device(self.device), self._expression(sections)
        backbone = create_encoder(self.encoder) if tuned else None
        n_features, reduction = 0 if backbone is None else backbone.dim, None
        if backbone is None or self.n_components is not None:
            features = self._look_at(sections)
            n_features = features.shape[1]
        if self.n_components is not None:
            found = fit_reduction(
                features, n_components=self.n_components, seed=self.seed, standardise=not self.slide_scale
            )
            reduction, n_features = Reduction(*map(torch.from_numpy, found)), found[1].shape[1]
        scaling = Standardise(expression.mean(dim=0), expression.std(dim=0)) if self.standardise else None
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self._build(backbone, n_features=n_features, dim=self.dim, reduction=reduction, scaling=scaling)
        if backbone is None:
            inputs = torch.from_numpy(features)
            images: Callable[[Tensor], Tensor] = lambda rows: inputs[rows].to(device)  # noqa: E731
        else:
            batches = TileBatches([section.tiles for section in sections])
            images = lambda rows: symmetries(batches(rows)).to(device)  # noqa: E731
        options = self._training_options(epochs)
        fit_bleep(model.to(device), expression.to(device), images, options=options, workdir=workdir)
        return model

    def _training_options(self, epochs: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            clip_norm=None,
            seed=self.seed,
            slow_share=0.1 if self.schedule == "cosine" else 1.0,  # published: one rate for all
        )

    def _build(
        self,
        backbone: nn.Module | None,
        *,
        n_features: int,
        dim: int,
        reduction: nn.Module | None,
        scaling: nn.Module | None,
    ) -> BleepModel:
        model = BleepModel(
            nn.Identity() if backbone is None else backbone,
            n_features=n_features,
            n_genes=len(self.space_.genes),
            dim=dim,
            dropout=self.dropout,
            temperature=self.temperature,
            unit_length=self.unit_length and not self.checkpoint,
        )
        model.reduction, model.scaling = reduction or nn.Identity(), scaling or nn.Identity()
        return model

    def _loaded(self) -> BleepModel:
        model = load_bleep(Path(self.checkpoint), encoder=self.encoder)
        n_genes = model.spot_projection.projection.in_features
        if n_genes != len(self.space_.genes):
            msg = (
                f"a panel of {n_genes} genes, in the order the checkpoint was fitted on, expected, "
                f"found {len(self.space_.genes)}: give that list of genes"
            )
            raise InputError(msg)
        return model.to(torch_device(self.device))

    def _expression(self, sections: Sequence[Section]) -> Tensor:
        return torch.from_numpy(np.concatenate([self.space_(section.counts) for section in sections]))

    @torch.inference_mode()
    def _bank(self, model: BleepModel, sections: Sequence[Section]) -> ReferenceBank:
        expression = self._expression(sections)
        return ReferenceBank(
            keys=model.eval().embed_spots(expression.to(torch_device(self.device))).cpu().numpy(),
            expression=expression.numpy(),
            section_ids=tuple(section.id for section in sections for _ in range(len(section))),
            patients=tuple(section.patient for section in sections for _ in range(len(section))),
        )

    @torch.inference_mode()
    def _retrieve(
        self, model: BleepModel, bank: ReferenceBank, features: Float[np.ndarray, "n_tiles n_features"]
    ) -> Float[np.ndarray, "n_tiles n_genes"]:
        queries = self._queries(model, features)
        return bank.query(queries, k=self.k, weights=self.weights, device=str(torch_device(self.device)))

    @torch.inference_mode()
    def _queries(
        self, model: BleepModel, features: Float[np.ndarray, "n_tiles n_features"]
    ) -> Float[np.ndarray, "n_tiles dim"]:
        inputs = torch.from_numpy(features).to(torch_device(self.device))
        return model.eval().embed_features(inputs).cpu().numpy()

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        if self._tuned:
            assert isinstance(self.model_.backbone, ImageEncoder)  # `_train` or `_loaded` put it there
            return embed_tiles(tiles, self.model_.backbone, precision="float32")
        return self._look(tiles)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return self._retrieve(self.model_, self.bank_, self._features(tiles))

    def _reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        queries = self._queries(self.model_, self._features(tiles))
        return self.bank_.distance(queries, device=str(torch_device(self.device)))

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        queries = self._queries(self.model_, self._features(tiles))
        device = str(torch_device(self.device))
        return (self.bank_.retrieve(queries, k=self.k, weights=self.weights, device=device),)

    def _get_state(self) -> State:
        arrays = {"bank.keys": self.bank_.keys, "bank.expression": self.bank_.expression}
        arrays |= {f"model.{name}": array for name, array in flat_state(self.model_).items()}
        origins = {"section_ids": list(self.bank_.section_ids), "patients": list(self.bank_.patients)}
        return State(arrays=arrays, meta={"epochs": self.epochs_, **origins}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.epochs_ = stored_number(state, "epochs")
        weights = unflatten(state.arrays, "model.")
        reduction = scaling = None
        if "reduction.mean" in weights:
            reduction = Reduction(weights["reduction.mean"], weights["reduction.components"])
        if "scaling.mean" in weights:
            stored_arrays(
                state, dict.fromkeys(("model.scaling.mean", "model.scaling.spread"), "genes"), genes=len(self.genes_)
            )
            scaling = Standardise(weights["scaling.mean"], weights["scaling.spread"])
        dim, n_features = weights["image_projection.projection.weight"].shape
        self.model_ = self._build(
            untrained_encoder(self.encoder) if self._tuned else None,
            n_features=n_features,
            dim=dim,
            reduction=reduction,
            scaling=scaling,
        )
        self.model_.load_state_dict(weights)
        self.model_.eval().to(torch_device(self.device))
        keys, expression = stored_arrays(
            state, {"bank.keys": "spots dim", "bank.expression": "spots genes"}, genes=len(self.genes_)
        )
        self.bank_ = ReferenceBank(
            keys=keys,
            expression=expression,
            section_ids=stored_texts(state, "section_ids"),
            patients=stored_patients(state),
        )
