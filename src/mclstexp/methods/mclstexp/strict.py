"""The strict protocol of mclSTExp: frozen features of several widths, models aligned by contrast, one bank each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import State
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_part, stored_texts
from mclstexp.core.tiles import Tiles
from mclstexp.methods.mclstexp.bank import bank_of, origins, saved_bank
from mclstexp.methods.mclstexp.choice import Choice
from mclstexp.methods.mclstexp.reach import Reach, look, reaches_of, reduction_of
from mclstexp.methods.mclstexp.standing import Usual, shares, standings, usual_of
from mclstexp.nn.contrastive import ContrastiveModel, TileEncoder, TunedTileEncoder
from mclstexp.nn.heads import Reduction
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder, untrained_encoder
from mclstexp.nn.spot_encoders import NeighbourTransformer
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.sight import Seen
from mclstexp.training.aligned import Objective, SpotTable, embed_table, fit_aligned, flat_state, unflatten
from mclstexp.training.augment import stain_jitter, symmetries
from mclstexp.training.tile_batches import TileBatches

if TYPE_CHECKING:
    from mclstexp.methods.mclstexp.method import MclSTExp

EPOCHS = 20
MOST_SPOTS = 200
"""Spots retrieved for a tile, and never more than a quarter of the bank, where nothing else is said."""
SHARPNESS = 0.5
CONTEXT_SHARE = 0.5


@dataclass(frozen=True)
class _Member:
    """One fitted model and its bank."""

    sight: Reach
    model: ContrastiveModel
    bank: ReferenceBank
    usual: Usual | None = None
    """How near tiles usually lie to the bank; None where it was not learnt: all such models count alike."""


class Strict:
    """Models of the strict protocol, each with a seed and a bank of its own."""

    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None:
        self.options, self.space = options, space

    def fit(self, sections: list[Section], *, workdir: Path | None) -> None:
        """Learn from training sections; see `Predictor.fit`."""
        self.choice, self.rooted = self._settled(sections), not self.options.train_encoder
        in_turn = itertools.cycle(reaches_of(self.choice.context_share, near=self.rooted))
        sights = list(itertools.islice(in_turn, self.options.n_models))
        self._fit_members(sections, epochs=self.choice.epochs, sights=sights, workdir=workdir)

    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Predict at tiles; see `Predictor.predict`."""
        queries = self._queries(tiles)
        parts = zip(self._shares(queries, tiles), self._retrieve(queries), strict=True)
        total = sum(np.reshape(share, (-1, 1)) * part.astype(np.float64) for share, part in parts)
        return np.asarray(total, np.float32)

    def reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        """Say how far tiles lie from the banks, on average; see `Predictor.reference_distance`."""
        pairs = zip(self.members, self._queries(tiles), strict=True)
        parts = [member.bank.distance(query, device=str(_device(member.model))) for member, query in pairs]
        return np.stack(parts).mean(axis=0)

    def retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        """Say which spots each model averages; see `Predictor.retrieve`."""
        queries = self._queries(tiles)
        parts = zip(self.members, queries, self._shares(queries, tiles), strict=True)
        found = ((m.bank.retrieve(query, **self._rule(m.model)), weight) for m, query, weight in parts)
        return tuple(replace(retrieval, weight=weight) for retrieval, weight in found)

    def _settled(self, sections: Sequence[Section]) -> Choice:
        """Return the options, what is left open filled in.

        Choosing on held-out training sections was a draw with fixed values (docs/ablation.md), and took most of a fit.
        """
        o, n_spots = self.options, sum(len(section) for section in sections)
        share = CONTEXT_SHARE if o.context_share is None else o.context_share
        if o.context_share is None and o.n_models == 1:
            share = 1.0  # one model looks either far or near
        return Choice(
            epochs=EPOCHS if o.epochs is None else o.epochs,
            k=min(MOST_SPOTS, max(1, n_spots // 4)) if o.k is None else o.k,
            sharpness=SHARPNESS if o.sharpness is None else o.sharpness,
            context_share=share if o.context_radii_um else 0.0,
        )

    def _seen(self, tiles: Tiles) -> Seen:
        """Look at tiles of one slide; models fitted end to end, and those of older versions, saw features as is."""
        assert self.options.seen_ is not None
        return look(self.options.seen_, tiles) if self.rooted else self.options._seen(tiles)

    def _fit_members(
        self, sections: Sequence[Section], *, epochs: int, sights: Sequence[Reach], workdir: Path | None
    ) -> None:
        """Fit a model for each of `sights`, their reductions and their banks."""
        o, table = self.options, self._table(sections)
        self.mean, self.spread = table.mean, table.spread
        features = Seen.join([self._seen(section.tiles) for section in sections])
        self.reductions = {
            sight: reduction_of(
                features,
                sight,
                n_components=o.n_components,
                seed=o.seed,
                n_radii=len(o.context_radii_um),
                standardise=not o.slide_scale,
            )
            for sight in sorted(set(sights))
        }
        self.members = []
        objective = Objective(o.soft_temperature, o.correlation_weight)
        for number, sight in enumerate(sights):
            options = o.training_options(epochs=epochs, seed=o.seed + number)
            model, images = self._start(sections, features, sight, seed=o.seed + number)
            folder = None if workdir is None else workdir / f"model_{number}"
            said = f"mclstexp {number + 1}/{len(sights)}"
            fit_aligned(model, table, images, options=options, objective=objective, workdir=folder, label=said)
            bank = bank_of(table, keys=embed_table(model, table), expression=table.expression)
            usual = usual_of(bank, self._embed(model, self.reductions[sight], features.values)) if self.rooted else None
            self.members.append(_Member(sight, model, bank, usual))

    def _start(
        self, sections: Sequence[Section], features: Seen, sight: Reach, *, seed: int
    ) -> tuple[ContrastiveModel, Callable[[Tensor], tuple[Tensor, ...]]]:
        """Return an untrained model and what its image encoder takes for rows of the training table."""
        device, reduction = self.options.torch_device(), self.reductions[sight]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            backbone = create_encoder(self.options.encoder) if self.options.train_encoder else None
            model = self._build(reduction, backbone).to(device)
        inputs = torch.from_numpy(features.values)
        if backbone is None:
            reduced = reduction(inputs).to(device)
            return model, lambda rows: (reduced[rows],)
        batches, others = TileBatches([section.tiles for section in sections]), inputs[:, features.n_own :].to(device)
        return model, lambda rows: (stain_jitter(symmetries(batches(rows))).to(device), others[rows])

    def _build(
        self, reduction: Reduction, backbone: ImageEncoder | None, *, n_blocks: int | None = None
    ) -> ContrastiveModel:
        o, dim, n_genes = self.options, self.options.dim or 64, len(self.space.genes)
        tiles: nn.Module = (head := TileEncoder(reduction.components.shape[1], dim=dim, dropout=o.dropout))
        if backbone is not None:
            own = Reduction(reduction.mean.clone(), reduction.components.clone())
            tiles = TunedTileEncoder(backbone, own, head, dtype=o.torch_dtype())
        spots = NeighbourTransformer(n_genes, dim, n_blocks=n_blocks or o.n_blocks or 0, dropout=o.dropout)
        with_head = o.regression_share > 0 or o.correlation_weight > 0
        return ContrastiveModel(tiles, spots, n_genes=n_genes if with_head else None)

    def _table(self, sections: Sequence[Section]) -> SpotTable:
        return SpotTable.build(
            sections,
            [self.space(section.counts) for section in sections],
            n_neighbours=self.options.n_neighbours,
            radius_um=self.options.neighbour_radius_um,
        )

    @torch.inference_mode()
    def _queries(self, tiles: Tiles) -> list[Float[np.ndarray, "n_tiles dim"]]:
        """Embed tiles by each model; a tuned backbone's features take the place of the frozen encoder's."""
        features, queries = self._seen(tiles), []
        for member in self.members:
            values, head = features.values, member.model.image_encoder
            if isinstance(head, TunedTileEncoder):
                values = np.concatenate([embed_tiles(tiles, head.backbone), values[:, features.n_own :]], axis=1)
            queries.append(self._embed(member.model, self.reductions[member.sight], values))
        return queries

    @torch.inference_mode()
    def _embed(
        self, model: ContrastiveModel, reduction: Reduction, values: np.ndarray
    ) -> Float[np.ndarray, "n_tiles dim"]:
        """Embed tiles from their features."""
        head = model.eval().image_encoder
        head = head.head if isinstance(head, TunedTileEncoder) else head
        self.options._require_features(values, len(reduction.mean))
        reduced = reduction(torch.from_numpy(values)).to(_device(model))
        return functional.normalize(head(reduced), dim=-1).cpu().numpy()

    def _shares(self, queries: Sequence[np.ndarray], tiles: Tiles) -> list[float | Float[np.ndarray, " n_tiles"]]:
        """Return each model's share of the prediction, at all tiles or at each."""
        usual = [member.usual for member in self.members if member.usual is not None]
        weights, trust = self._weights(self.choice.context_share), self.options.trust
        if len(usual) < len(self.members) or trust == 0 or len({member.sight for member in self.members}) == 1:
            return list(weights)
        banks = [member.bank for member in self.members]
        standing = standings(banks, usual, queries, tiles, radius_um=self.options.sight.context_um)
        return shares(weights, standing, trust=trust)

    def _retrieve(self, queries: Iterable[np.ndarray]) -> list[Float[np.ndarray, "n_tiles n_genes"]]:
        """Return each model's prediction: retrieved expression, and a share of the head's if there is one."""
        parts, share = [], self.options.regression_share
        for member, query in zip(self.members, queries, strict=True):
            part = member.bank.query(query, **self._rule(member.model))
            if member.model.regression is not None:
                with torch.inference_mode():
                    head = member.model.regress(torch.from_numpy(query).to(_device(member.model))).cpu().numpy()
                part = (1 - share) * part + share * (head * self.spread + self.mean)
            parts.append(part)
        return parts

    def _weights(self, context_share: float) -> list[float]:
        """Return each model's weight: those that see the same count alike, then what is seen is weighed."""
        weights: dict[Reach, float] = {"surroundings": context_share, "near": 1 - context_share}
        weights["place"] = weights["near"]
        n_same = Counter(member.sight for member in self.members)
        if len(n_same) == 1:
            weights = dict.fromkeys(n_same, 1.0)
        return [weights[member.sight] / n_same[member.sight] for member in self.members]

    def get_state(self) -> State:
        """Return what a saved model keeps."""
        arrays = {"bank.expression": self.members[0].bank.expression, "mean": self.mean, "spread": self.spread}
        for sight, reduction in self.reductions.items():
            arrays |= {f"reduction.{sight}.{name}": array for name, array in flat_state(reduction).items()}
        for number, member in enumerate(self.members):
            arrays[f"bank.keys.{number}"] = member.bank.keys
            arrays |= {f"model.{number}.{name}": array for name, array in flat_state(member.model).items()}
        meta = {
            "choice": asdict(self.choice),
            "sights": [member.sight for member in self.members],
        }
        usual = [(member.usual.mean, member.usual.spread) for member in self.members if member.usual is not None]
        if self.rooted:
            arrays["usual"] = np.array(usual)
        state = State(arrays=arrays, meta=meta | origins(self.members[0].bank))
        return state.joined(self.options._sight_state())

    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""
        self.choice = stored_part(state, "choice", Choice)
        n_genes = len(self.space.genes)
        self.mean, self.spread = stored_arrays(state, {"mean": "genes", "spread": "genes"}, genes=n_genes)
        sights = cast("tuple[Reach, ...]", stored_texts(state, "sights", among=get_args(Reach)))
        self.reductions = {s: Reduction(**unflatten(state.arrays, f"reduction.{s}.")) for s in sorted(set(sights))}
        self.rooted = "usual" in state.arrays  # older versions, and models fitted end to end, keep none
        usual = self._stored_usual(state, len(sights))
        self.members = []
        for number, sight in enumerate(sights):
            backbone = untrained_encoder(self.options.encoder) if self.options.train_encoder else None
            weights = unflatten(state.arrays, f"model.{number}.")
            model = self._build(self.reductions[sight], backbone, n_blocks=_n_blocks(weights))
            model.load_state_dict(weights)
            model = model.eval().to(self.options.torch_device())
            bank = saved_bank(state, keys=f"bank.keys.{number}", n_genes=n_genes)
            self.members.append(_Member(sight, model, bank, usual[number]))

    def _stored_usual(self, state: State, n_models: int) -> list[Usual | None]:
        if not self.rooted:
            return [None] * n_models
        (found,) = stored_arrays(state, {"usual": "models both"}, models=n_models, both=2)
        return [Usual(float(mean), float(spread)) for mean, spread in found]

    def _rule(self, model: ContrastiveModel) -> dict[str, Any]:
        """Return how a model's bank is asked."""
        scale = self.choice.sharpness * float(model.scale.detach())
        return {
            "k": self.choice.k,
            "weights": "softmax" if scale else "uniform",
            "scale": scale,
            "device": str(_device(model)),
        }


def _n_blocks(weights: Mapping[str, Tensor]) -> int:
    """Count the blocks of a saved spot encoder: their usual number was another in older versions."""
    return len({name.split(".")[2] for name in weights if name.startswith("spot_encoder.blocks.")})


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
