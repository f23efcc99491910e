"""mclSTExp (Min et al., arXiv 2407.08216): tiles and measured spots aligned by contrast; expression retrieved.

One file for both protocols, which is why it is long: `MclSTExp` holds the options, `_Strict` and `_Paper` are what
they fit. The parts lie in `nn`, `training` and `inference`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.predictor import Predictor, State, register
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.data.features import cache_folder
from mclstexp.data.folds import split_validation
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.inference.bank import ReferenceBank
from mclstexp.inference.embed import check_encoder, embed_tiles, frozen_encoder
from mclstexp.nn.contrastive import ContrastiveModel, TileEncoder, TunedTileEncoder
from mclstexp.nn.cpu import fast_dtype
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder, untrained_encoder
from mclstexp.nn.published import PublishedModel, as_released, embed_in_batches
from mclstexp.nn.published_weights import load_published
from mclstexp.nn.spot_encoders import NeighbourTransformer
from mclstexp.training.aligned import SpotTable, embed_table, fit_aligned, fit_reduction, flat_state, unflatten
from mclstexp.training.augment import as_published, stain_jitter, symmetries
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.published import PublishedTable, fit_published
from mclstexp.training.tile_batches import TileBatches

EPOCHS = (10, 20, 40)
KS = (25, 50, 100, 200)
SHARPNESS = (0.0, 0.5, 1.0)
"""What is tried on held-out training sections where an option is left open."""


@register("mclstexp")
@dataclass
class MclSTExp(Predictor):
    """Contrastive alignment of tiles and spots; a tile's expression is the mean of its nearest measured spots.

    The strict protocol differs from the published code where that leaks or depends on chance: one expression space
    for input, bank and truth; attention over a spot's true neighbours instead of its batch mates; offsets in µm
    instead of tables of coordinates; unit-length embeddings and a learnt temperature in loss and retrieval; length
    of training and retrieval chosen on held-out training sections. The paper protocol is the published algorithm,
    except that no held-out spot ever stands among those whose keys are exported.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"published": {"protocol": "paper", "train_encoder": True}}

    protocol: Literal["strict", "paper"] = "strict"
    """"strict": sound; "paper": as published, to meet old numbers."""
    encoder: str = "densenet121"
    """Image encoder: a timm name, "efficientnet_lite0", "hf-hub:…", "NAME@FILE"."""
    train_encoder: bool = False
    """Fit the image encoder too, end to end (a GPU's work); otherwise learn from its frozen, cached features."""
    checkpoint: str = ""
    """Paper only: a checkpoint of the authors' training script, taken as it is; fitting then builds the bank alone."""
    context_radii_um: tuple[float, ...] = (300.0, 600.0)
    """Strict only: for each radius (µm) the mean features of the tiles within it join the tile's own; () for none."""
    n_components: int = 128
    """Strict only: principal components of the features that the head sees."""
    dim: int | None = None
    """Length of the embeddings; None: 64 (strict), 256 (paper)."""
    n_neighbours: int = 4
    """Strict only: neighbouring spots the spot encoder attends to."""
    neighbour_radius_um: float = 250.0
    """Strict only: no farther than this (µm)."""
    n_blocks: int | None = None
    """Transformer blocks of the spot encoder; None: 1 (strict), 2 (paper)."""
    dropout: float = 0.5
    """Strict only: share of inputs dropped in training, on both sides (the published code's has no effect)."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections (strict), 90 (paper)."""
    k: int | None = None
    """Spots retrieved for a tile; None: chosen on held-out training sections (strict), 200 (paper)."""
    sharpness: float | None = None
    """Strict only: retrieved spots weigh softmax(sharpness · learnt scale · cosine): 1 as in the loss, 0 all alike;
    None: chosen on held-out training sections."""
    norm: float = 1.0
    """Paper only: order of the distance whose inverse square weighs a spot (published: 1 for her2st, else 2)."""
    regression_share: float = 0.0
    """Strict only: share of a linear head on the image embedding in the prediction; 0: retrieval alone."""
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
        for name in ("n_components", "dim", "n_models", "batch_size", "epochs", "k"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"mclstexp option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if self.protocol not in _PROTOCOLS:
            msg = f"mclstexp option protocol must be 'strict' or 'paper', found {self.protocol!r}"
            raise InputError(msg)
        if self.checkpoint and self.protocol != "paper":
            msg = 'mclstexp option checkpoint is for the published network: give protocol="paper" with it'
            raise InputError(msg)
        self.context_radii_um = tuple(self.context_radii_um)

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles."""
        return max(self.context_radii_um, default=0.0) if self.protocol == "strict" else 0.0

    def _default_space(self, sections: list[Section]) -> ExpressionSpace:
        return ExpressionSpace.fit(sections, axis="spot" if self.protocol == "strict" else "gene")

    def _fit(self, sections: list[Section]) -> None:
        self._fitted = _PROTOCOLS[self.protocol](self, self.space_)
        self._fitted.fit(sections, workdir=self._workdir)

    def _predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        return self._fitted.predict(tiles)

    def _get_state(self) -> State:
        return self._fitted.get_state()

    def _set_state(self, state: State) -> None:
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
    def get_state(self) -> State: ...
    def set_state(self, state: State) -> None: ...


@dataclass(frozen=True)
class _Choice:
    """Settings of training length and retrieval."""

    epochs: int = 30
    k: int = 100
    sharpness: float = 0.0


class _Strict:
    """Models of the strict protocol, one per seed, each with its bank."""

    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None:
        self.options, self.space = options, space
        self.models: list[ContrastiveModel] = []
        self.banks: list[ReferenceBank] = []

    def fit(self, sections: list[Section], *, workdir: Path | None) -> None:
        self.encoder = frozen_encoder(self.options.encoder)
        self.choice = self._choose(sections)
        table = self._table(sections)
        self.mean, self.spread = table.mean, table.spread
        for number in range(self.options.n_models):
            folder = None if workdir is None else workdir / f"model_{number}"
            label = f"mclstexp {number + 1}/{self.options.n_models}"
            model = self._train(sections, table, epochs=self.choice.epochs, number=number, workdir=folder, label=label)
            self.models.append(model)
            self.banks.append(_bank(embed_table(model, table), table.expression, table))

    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        check_encoder(self.options.encoder, self.encoder)
        features = self._features(tiles)
        parts = []
        for model, bank in zip(self.models, self.banks, strict=True):
            queries = _embed(model, tiles, features)
            part = self._retrieve(model, bank, queries, self.choice)
            share = self.options.regression_share
            if model.regression is not None:
                with torch.inference_mode():
                    head = model.regress(torch.from_numpy(queries).to(_device(model))).cpu().numpy()
                part = (1 - share) * part + share * (head * self.spread + self.mean)
            parts.append(part)
        return np.asarray(np.mean(np.stack(parts), axis=0, dtype=np.float64), np.float32)

    def _retrieve(
        self, model: ContrastiveModel, bank: ReferenceBank, queries: np.ndarray, choice: _Choice
    ) -> Float[np.ndarray, "n n_genes"]:
        device = str(_device(model))
        if choice.sharpness == 0:
            return bank.query(queries, k=choice.k, device=device)
        scale = choice.sharpness * float(model.scale.detach())
        return bank.query(queries, k=choice.k, weights="softmax", scale=scale, device=device)

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        """Look up the encoder's features of each tile, then their mean over its surroundings at each radius."""
        own = embed_tiles(tiles, self.options.encoder)
        radii = self.options.context_radii_um
        context = [mean_of_neighbours(own, tiles.xy_um, radius_um=radius) for radius in radii]
        return np.concatenate([own, *context], axis=1)

    def _table(self, sections: Sequence[Section]) -> SpotTable:
        return SpotTable.build(
            sections,
            [self.space(section.counts) for section in sections],
            n_neighbours=self.options.n_neighbours,
            radius_um=self.options.neighbour_radius_um,
        )

    def _train(
        self,
        sections: Sequence[Section],
        table: SpotTable,
        *,
        epochs: int,
        number: int,
        label: str,
        workdir: Path | None = None,
        tuned: bool | None = None,
    ) -> ContrastiveModel:
        seed, device = self.options.seed + number, self.options.torch_device()
        features = np.concatenate([self._features(section.tiles) for section in sections])
        mean, components = fit_reduction(features, n_components=self.options.n_components, seed=seed)
        tuned = self.options.train_encoder if tuned is None else tuned
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            backbone = create_encoder(self.options.encoder) if tuned else None
            model = self._build(torch.from_numpy(mean), torch.from_numpy(components), backbone).to(device)
        inputs = torch.from_numpy(features).to(device)
        images: Callable[[Tensor], tuple[Tensor, ...]] = lambda rows: (inputs[rows],)  # noqa: E731
        if backbone is not None:
            batches, n_own = TileBatches([section.tiles for section in sections]), backbone.dim
            images = lambda rows: (stain_jitter(symmetries(batches(rows))).to(device), inputs[rows, n_own:])  # noqa: E731
        options = self.options.training_options(epochs=epochs, seed=seed)
        fit_aligned(model, table, images, options=options, workdir=workdir, label=label)
        return model

    def _build(self, mean: Tensor, components: Tensor, backbone: ImageEncoder | None) -> ContrastiveModel:
        o, dim, n_genes = self.options, self.options.dim or 64, len(self.space.genes)
        tiles: nn.Module = (head := TileEncoder(mean, components, dim=dim, dropout=o.dropout))
        if backbone is not None:
            tiles = TunedTileEncoder(backbone, head, dtype=o.torch_dtype())
        spots = NeighbourTransformer(n_genes, dim, n_blocks=1 if o.n_blocks is None else o.n_blocks, dropout=o.dropout)
        return ContrastiveModel(tiles, spots, n_genes=n_genes if o.regression_share > 0 else None)

    def _choose(self, sections: list[Section]) -> _Choice:
        """Settle what is left open by fitting on some training sections and scoring on the others.

        With `train_encoder` too it is settled on frozen features: end to end it would cost as much as the fit.
        """
        o, usual = self.options, _Choice()
        if len(sections) == 1:  # nobody to choose on: what was best elsewhere
            return _Choice(
                o.epochs or usual.epochs, o.k or usual.k, usual.sharpness if o.sharpness is None else o.sharpness
            )
        tried = (
            EPOCHS if o.epochs is None else (o.epochs,),
            KS if o.k is None else (o.k,),
            SHARPNESS if o.sharpness is None else (o.sharpness,),
        )
        grid = [_Choice(*values) for values in itertools.product(*tried)]
        if len(grid) == 1:
            return grid[0]
        fitted_on, held_out = split_validation(sections, seed=o.seed)
        table = self._table(fitted_on)
        scores = dict.fromkeys(grid, 0.0)
        for epochs in tried[0]:
            label = f"mclstexp: choosing, {epochs} epochs"
            model = self._train(fitted_on, table, epochs=epochs, number=0, label=label, tuned=False)
            bank = _bank(embed_table(model, table), table.expression, table)
            for section in held_out:
                queries, truth = _embed(model, section.tiles, self._features(section.tiles)), self.space(section.counts)
                for choice in (c for c in grid if c.epochs == epochs):
                    r = pearson_per_gene(truth, self._retrieve(model, bank, queries, choice))
                    scores[choice] += float(np.nan_to_num(r).mean())
        return max(scores, key=lambda choice: scores[choice])

    def get_state(self) -> State:
        arrays = {"bank.expression": self.banks[0].expression, "mean": self.mean, "spread": self.spread}
        for number, (model, bank) in enumerate(zip(self.models, self.banks, strict=True)):
            arrays[f"bank.keys.{number}"] = bank.keys
            arrays |= {f"model.{number}.{name}": array for name, array in flat_state(model).items()}
        return State(
            arrays=arrays, meta={"choice": asdict(self.choice), "encoder": self.encoder, **_origins(self.banks[0])}
        )

    def set_state(self, state: State) -> None:
        self.choice, self.encoder = _Choice(**state.meta["choice"]), state.meta["encoder"]
        self.mean, self.spread = state.arrays["mean"], state.arrays["spread"]
        for number in range(self.options.n_models):
            weights = unflatten(state.arrays, f"model.{number}.")
            tuned = self.options.train_encoder
            head = "image_encoder.head" if tuned else "image_encoder"
            backbone = untrained_encoder(self.options.encoder) if tuned else None
            model = self._build(weights[f"{head}.mean"], weights[f"{head}.components"], backbone)
            model.load_state_dict(weights)
            self.models.append(model.eval().to(self.options.torch_device()))
            self.banks.append(_saved_bank(state, keys=f"bank.keys.{number}"))


class _Paper:
    """The published network and its bank."""

    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None:
        self.options, self.space = options, space

    @property
    def encoder_name(self) -> str:
        """Name of the image encoder; the release starts from torchvision's weights, timm's default are others."""
        name = self.options.encoder
        return "densenet121.tv_in1k" if name == "densenet121" else name

    @property
    def _tuned(self) -> bool:
        return self.options.train_encoder or bool(self.options.checkpoint)

    @cached_property
    def _frozen(self) -> ImageEncoder:
        return as_released(create_encoder(self.encoder_name))

    def fit(self, sections: list[Section], *, workdir: Path | None) -> None:
        self.encoder = {} if self._tuned else frozen_encoder(self.encoder_name)
        table = PublishedTable.build(sections, space=self.space)
        n_positions = int(table.position.max()) + 1
        device, seed = self.options.torch_device(), self.options.seed
        if self.options.checkpoint:
            self.model = load_published(Path(self.options.checkpoint), n_positions=n_positions).to(device)
            n_genes = self.model.spot_projection.projection.in_features
            if n_genes != len(self.space.genes):
                msg = (
                    f"a panel of {n_genes} genes, in the order the checkpoint was fitted on, expected, "
                    f"found {len(self.space.genes)}: give that list of genes"
                )
                raise InputError(msg)
        else:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                encoder = as_released(create_encoder(self.encoder_name))
                fitted = encoder if self._tuned else nn.Identity()
                self.model = self._build(fitted, n_features=encoder.dim, n_positions=n_positions).to(device)
            options = self.options.training_options(epochs=self.options.epochs or 90, seed=seed)
            dtype = self.options.torch_dtype() if self._tuned else torch.float32
            fit_published(self.model, table, self._images(sections), options=options, dtype=dtype, workdir=workdir)
        keys = embed_in_batches(self.model, table.inputs.to(device), table.position.to(device)).cpu().numpy()
        self.bank = _bank(keys, table.values, table)

    def _build(self, encoder: nn.Module, *, n_features: int, n_positions: int) -> PublishedModel:
        return PublishedModel(
            encoder,
            n_features=n_features,
            n_genes=len(self.space.genes),
            n_positions=n_positions,
            dim=self.options.dim or 256,
            n_blocks=2 if self.options.n_blocks is None else self.options.n_blocks,
        )

    def _images(self, sections: list[Section]) -> Callable[[Tensor], Tensor]:
        if self.options.train_encoder:
            batches = TileBatches([section.tiles for section in sections])
            return lambda rows: as_published(batches(rows))
        features = torch.from_numpy(np.concatenate([self._features(section.tiles) for section in sections]))
        return lambda rows: features[rows]

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        if self._tuned:
            encoder = self.model.image_encoder
            assert isinstance(encoder, ImageEncoder)  # `_build` put it there
            return embed_tiles(tiles, encoder, precision="float32")
        return embed_tiles(tiles, self._frozen, cache_dir=cache_folder())

    @torch.inference_mode()
    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        if not self._tuned:
            check_encoder(self.encoder_name, self.encoder)
        device = self.options.torch_device()
        features = torch.from_numpy(self._features(tiles)).to(device)
        queries = self.model.eval().image_projection(features).cpu().numpy()
        k = self.options.k or 200
        return self.bank.query(queries, k=k, weights="inverse_square", norm=self.options.norm, device=str(device))

    def get_state(self) -> State:
        arrays = {"bank.keys": self.bank.keys, "bank.expression": self.bank.expression}
        arrays |= {f"model.{name}": array for name, array in flat_state(self.model).items()}
        return State(arrays=arrays, meta={"encoder": self.encoder, **_origins(self.bank)})

    def set_state(self, state: State) -> None:
        self.encoder = state.meta["encoder"]
        weights = unflatten(state.arrays, "model.")
        encoder: nn.Module = nn.Identity()
        if self._tuned:
            name = "densenet121" if self.options.checkpoint else self.encoder_name
            encoder = as_released(untrained_encoder(name))
        n_features = weights["image_projection.projection.weight"].shape[1]
        self.model = self._build(encoder, n_features=n_features, n_positions=len(weights["position.column.weight"]))
        self.model.load_state_dict(weights)
        self.model.eval().to(self.options.torch_device())
        self.bank = _saved_bank(state, keys="bank.keys")


_PROTOCOLS: dict[str, type[_Fitted]] = {"strict": _Strict, "paper": _Paper}


def _bank(keys: np.ndarray, expression: np.ndarray, table: SpotTable | PublishedTable) -> ReferenceBank:
    return ReferenceBank(keys, expression, section_ids=table.section_ids, patients=table.patients)


def _origins(bank: ReferenceBank) -> dict[str, Any]:
    return {"section_ids": list(bank.section_ids), "patients": list(bank.patients)}


def _saved_bank(state: State, *, keys: str) -> ReferenceBank:
    return ReferenceBank(
        keys=state.arrays[keys],
        expression=state.arrays["bank.expression"],
        section_ids=tuple(state.meta["section_ids"]),
        patients=tuple(state.meta["patients"]),
    )


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@torch.inference_mode()
def _embed(model: ContrastiveModel, tiles: Tiles, features: np.ndarray) -> Float[np.ndarray, "n_tiles dim"]:
    """Embed tiles; a tuned backbone takes the place of the frozen encoder for the tile's own features."""
    head = model.eval().image_encoder
    if isinstance(head, TunedTileEncoder):
        own = embed_tiles(tiles, head.backbone)
        features, head = np.concatenate([own, features[:, own.shape[1] :]], axis=1), head.head
    return functional.normalize(head(torch.from_numpy(features).to(_device(model))), dim=-1).cpu().numpy()
