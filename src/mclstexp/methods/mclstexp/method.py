"""mclSTExp (Min et al., arXiv 2407.08216): tiles and measured spots aligned by contrast; expression retrieved.

`MclSTExp` holds the options; `strict` and `paper` fit the two protocols. Their parts lie in `nn`,
`training`, `sight` and `retrieval`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float

from mclstexp.core.doors import method_option
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import State, register
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.methods.mclstexp.paper import Paper
from mclstexp.methods.mclstexp.strict import Strict
from mclstexp.nn.cpu import fast_dtype
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.sight.numerics import numerics
from mclstexp.sight.sight import Sight
from mclstexp.training.loop import TrainingOptions


@register("mclstexp")
@dataclass
class MclSTExp(FeaturePredictor):
    """Contrastive alignment of tiles and spots; a tile's expression is the mean of its nearest measured spots.

    The strict protocol differs from the published code where that leaks or depends on chance: one expression space
    for input, bank and truth; attention over a spot's true neighbours instead of its batch mates; offsets in µm
    instead of tables of coordinates; unit-length embeddings and a learnt temperature in loss and retrieval. Beyond
    the paper, a place is seen at several widths, and models that look far and near are averaged, each counting more
    where it knows tiles like these (what each adds: docs/ablation.md). The paper protocol is the published algorithm,
    except that no held-out spot ever stands among those whose keys are exported.
    """

    tuned_on: ClassVar[tuple[str, ...]] = ("mob_st", "mob_2k", "her2st")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"published": {"protocol": "paper", "train_encoder": True}}

    view_widths: tuple[float, ...] = (1.0, 2.0, 4.0)
    context_radii_um: tuple[float, ...] = (300.0, 600.0)
    protocol: Literal["strict", "paper"] = "strict"
    """"strict": sound; "paper": as published, to meet old numbers."""
    train_encoder: bool = False
    """Fit the image encoder too, end to end (a GPU's work); otherwise learn from its frozen, cached features."""
    checkpoint: str = ""
    """Paper only: a checkpoint of the authors' training script, taken as it is; fitting then builds the bank alone."""
    context_share: float | None = None
    """Strict only: weight of the models that look far (wider views and what they show around), beside those that look
    near (the tile and those around it); 0: neither, the place alone. None: 0.5."""
    trust: float = 2.0
    """Strict only: at each tile such a model counts exp(trust · z) times as much, z being by how many standard
    deviations the tiles around lie nearer to the spots it knows than training tiles do; 0: it does not matter."""
    n_components: int = 128
    """Strict only: principal components of the features that the head sees."""
    dim: int | None = None
    """Length of the embeddings; None: 64 (strict), 256 (paper)."""
    n_neighbours: int = 4
    """Strict only: neighbouring spots the spot encoder attends to."""
    neighbour_radius_um: float = 250.0
    """Strict only: no farther than this (µm)."""
    n_blocks: int | None = None
    """Transformer blocks of the spot encoder; None: 0 (strict), 2 (paper)."""
    dropout: float = 0.5
    """Strict only: share of inputs dropped in training, on both sides (the published code's has no effect)."""
    epochs: int | None = None
    """Passes over the training spots; None: 20 (strict), 90 (paper)."""
    k: int | None = None
    """Spots retrieved for a tile; None: 200, and in the strict protocol no more than a quarter of the bank."""
    sharpness: float | None = None
    """Strict only: retrieved spots weigh softmax(sharpness · learnt scale · cosine): 1 as in the loss, 0 all alike;
    None: 0.5."""
    norm: float = 1.0
    """Paper only: order of the distance whose inverse square weighs a spot (published: 1 for her2st, else 2)."""
    regression_share: float = 0.0
    """Strict only: share of a linear head on the image embedding in the prediction; 0: retrieval alone."""
    correlation_weight: float = 0.0
    """Strict only: weight of that head's 1 - PCC per gene in the loss."""
    soft_temperature: float = 0.0
    """Strict only: spots of like expression share a target, by softmax of their cosine over this; 0: they do not."""
    n_models: int = 4
    """Strict only: models fitted with different seeds; predictions are averaged."""
    batch_size: int = 128
    """Spots contrasted with each other."""
    learning_rate: float | None = None
    """Peak learning rate; None: 1e-3 by AdamW (strict), 1e-4 by Adam (paper)."""
    weight_decay: float | None = None
    """Weight decay; None: 1e-2 (strict), 1e-3 (paper)."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the image encoder's products when it is fitted end to end; "auto": bfloat16 where the device multiplies it
    natively (strict), float32 (paper)."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_components", "dim", "n_models", "batch_size", "epochs", "k"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"mclstexp option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if self.context_share is not None and not 0 <= self.context_share <= 1:
            msg = f"mclstexp option context_share must lie between 0 and 1, found {self.context_share}"
            raise InputError(msg)
        if not 0 <= self.trust < math.inf:
            msg = f"mclstexp option trust must be 0 or more, found {self.trust}"
            raise InputError(msg)
        if self.protocol not in _PROTOCOLS:
            msg = f"mclstexp option protocol must be 'strict' or 'paper', found {self.protocol!r}"
            raise InputError(msg)
        if self.train_encoder and self.sight.slide_scale:
            msg = "mclstexp with train_encoder learns from pixels, which have no slide_scale: leave one of the two out"
            raise InputError(msg)
        if self.checkpoint and self.protocol != "paper":
            given = method_option("protocol", "paper")
            msg = f"mclstexp option checkpoint is for the published network: give {given} with it"
            raise InputError(msg)

    @property
    def sight(self) -> Sight:
        """What it sees of a place: under the paper protocol the tile alone."""
        return super().sight if self.protocol == "strict" else Sight(self.encoder)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles; wider views are pixels and do not count.

        Where models count by how well they know the tiles around, what lies around those counts too: twice as far.
        """
        if self.context_share == 0:
            return 0.0
        weighs = self.trust > 0 and self.n_models > 1 and self.context_share != 1 and not self.train_encoder
        return (2 if weighs else 1) * self.sight.context_um

    def _default_space(self, sections: list[Section]) -> ExpressionSpace:
        return ExpressionSpace.fit(sections, axis="spot" if self.protocol == "strict" else "gene")

    @property
    def _encoder(self) -> str:
        """Name of the image encoder; the release starts from torchvision's weights, timm's default are others."""
        return "densenet121.tv_in1k" if (self.protocol, self.encoder) == ("paper", "densenet121") else self.encoder

    def _numerics(self) -> dict[str, str]:
        precision = self.torch_dtype() if self.train_encoder else None
        return numerics(self, encoder=self._encoder, tuned=self.train_encoder, training_precision=precision)

    def _fit(self, sections: list[Section]) -> None:
        self._learn_sight(sections, frozen=self.protocol == "strict")
        self._fitted = _PROTOCOLS[self.protocol](self, self.space_)
        self._fitted.fit(sections, workdir=self._workdir)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return self._fitted.predict(tiles)

    def _reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        return self._fitted.reference_distance(tiles)

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        return self._fitted.retrievals(tiles)

    def _get_state(self) -> State:
        return self._fitted.get_state()

    def _set_state(self, state: State) -> None:
        self.seen_ = None
        if self.protocol == "strict":
            self._take_sight(state)
        self._fitted = _PROTOCOLS[self.protocol](self, self.space_)
        self._fitted.set_state(state)

    def training_options(self, *, epochs: int, seed: int) -> TrainingOptions:
        """Return how the protocol trains, what is left open filled in."""
        strict = self.protocol == "strict"
        base = (
            TrainingOptions(slow_share=0.1)
            if strict
            else TrainingOptions(
                learning_rate=1e-4,
                weight_decay=1e-3,
                optimiser="adam",
                schedule="constant",
                clip_norm=None,
                drop_last=False,
            )
        )
        return replace(
            base,
            epochs=epochs,
            batch_size=self.batch_size,
            seed=seed,
            learning_rate=base.learning_rate if self.learning_rate is None else self.learning_rate,
            weight_decay=base.weight_decay if self.weight_decay is None else self.weight_decay,
        )

    def torch_dtype(self) -> torch.dtype:
        """Return the precision of the image encoder's products when it is fitted."""
        if self.precision == "float32" or (self.precision == "auto" and self.protocol == "paper"):
            return torch.float32
        on_cpu = self.torch_device().type == "cpu"
        return fast_dtype() if self.precision == "auto" and on_cpu else torch.bfloat16

    def torch_device(self) -> torch.device:
        """Return where torch computes."""
        if self.device != "auto":
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class _Fitted(Protocol):
    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None: ...
    def fit(self, sections: list[Section], *, workdir: Path | None) -> None: ...
    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]: ...
    def reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]: ...
    def retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]: ...
    def get_state(self) -> State: ...
    def set_state(self, state: State) -> None: ...


_PROTOCOLS: dict[str, type[_Fitted]] = {"strict": Strict, "paper": Paper}
