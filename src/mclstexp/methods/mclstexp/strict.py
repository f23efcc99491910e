"""The strict protocol of mclSTExp: frozen features of several widths, models aligned by contrast, one bank each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.predictor import State
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_part, stored_texts
from mclstexp.core.tiles import Tiles
from mclstexp.data.folds import split_validation
from mclstexp.methods.mclstexp.bank import bank_of, origins, saved_bank
from mclstexp.methods.mclstexp.choice import Choice
from mclstexp.methods.mclstexp.reach import Reach, reduction_of
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

EPOCHS = (20, 10, 40)
KS = (200, 100, 50, 25)
SHARPNESS = (0.5, 0.0, 1.0)
CONTEXT_SHARES = (0.5, 1.0, 0.0)
"""What is tried on held-out training sections where an option is left open; the usual one first."""


@dataclass(frozen=True)
class _Member:
    """One fitted model and its bank."""

    sight: Reach
    model: ContrastiveModel
    bank: ReferenceBank


class Strict:
    """Models of the strict protocol, each with a seed and a bank of its own."""

    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None:
        self.options, self.space = options, space

    def fit(self, sections: list[Section], *, workdir: Path | None) -> None:
        """Learn from training sections; see `Predictor.fit`."""
        self.choice = self._choose(sections)
        in_turn = itertools.cycle(_sights(self.choice.context_share))
        sights = list(itertools.islice(in_turn, self.options.n_models))
        self._fit_members(sections, epochs=self.choice.epochs, sights=sights, workdir=workdir)

    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Predict at tiles; see `Predictor.predict`."""
        parts = self._retrieve(self._queries(tiles), k=self.choice.k, sharpness=self.choice.sharpness)
        return self._blend(parts, context_share=self.choice.context_share)

    def reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        """Say how far tiles lie from the banks, on average; see `Predictor.reference_distance`."""
        pairs = zip(self.members, self._queries(tiles), strict=True)
        parts = [member.bank.distance(query, device=str(_device(member.model))) for member, query in pairs]
        return np.stack(parts).mean(axis=0)

    def retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        """Say which spots each model averages; see `Predictor.retrieve`."""
        parts = zip(self.members, self._queries(tiles), self._weights(self.choice.context_share), strict=True)
        k, sharpness = self.choice.k, self.choice.sharpness
        found = ((m.bank.retrieve(q, **_rule(m.model, k=k, sharpness=sharpness)), weight) for m, q, weight in parts)
        return tuple(replace(retrieval, weight=weight) for retrieval, weight in found)

    def _fit_members(
        self,
        sections: Sequence[Section],
        *,
        epochs: int,
        sights: Sequence[Reach],
        tuned: bool | None = None,
        workdir: Path | None = None,
        label: str = "mclstexp",
    ) -> None:
        """Fit a model for each of `sights`, their reductions and their banks."""
        o = self.options
        tuned = o.train_encoder if tuned is None else tuned
        table = self._table(sections)
        self.mean, self.spread = table.mean, table.spread
        features = Seen.join([o._seen(section.tiles) for section in sections])
        self.reductions = {
            sight: reduction_of(
                features, sight, n_components=o.n_components, seed=o.seed, standardise=not o.slide_scale
            )
            for sight in sorted(set(sights))
        }
        self.members = []
        objective = Objective(o.soft_temperature, o.correlation_weight)
        for number, sight in enumerate(sights):
            options = o.training_options(epochs=epochs, seed=o.seed + number)
            model, images = self._start(sections, features, sight, seed=o.seed + number, tuned=tuned)
            folder = None if workdir is None else workdir / f"model_{number}"
            said = f"{label} {number + 1}/{len(sights)}"
            fit_aligned(model, table, images, options=options, objective=objective, workdir=folder, label=said)
            bank = bank_of(table, keys=embed_table(model, table), expression=table.expression)
            self.members.append(_Member(sight, model, bank))

    def _start(
        self, sections: Sequence[Section], features: Seen, sight: Reach, *, seed: int, tuned: bool
    ) -> tuple[ContrastiveModel, Callable[[Tensor], tuple[Tensor, ...]]]:
        """Return an untrained model and what its image encoder takes for rows of the training table."""
        device, reduction = self.options.torch_device(), self.reductions[sight]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            backbone = create_encoder(self.options.encoder) if tuned else None
            model = self._build(reduction, backbone).to(device)
        inputs = torch.from_numpy(features.values)
        if backbone is None:
            reduced = reduction(inputs).to(device)
            return model, lambda rows: (reduced[rows],)
        batches, others = TileBatches([section.tiles for section in sections]), inputs[:, features.n_own :].to(device)
        return model, lambda rows: (stain_jitter(symmetries(batches(rows))).to(device), others[rows])

    def _build(self, reduction: Reduction, backbone: ImageEncoder | None) -> ContrastiveModel:
        o, dim, n_genes = self.options, self.options.dim or 64, len(self.space.genes)
        tiles: nn.Module = (head := TileEncoder(reduction.components.shape[1], dim=dim, dropout=o.dropout))
        if backbone is not None:
            own = Reduction(reduction.mean.clone(), reduction.components.clone())
            tiles = TunedTileEncoder(backbone, own, head, dtype=o.torch_dtype())
        spots = NeighbourTransformer(n_genes, dim, n_blocks=1 if o.n_blocks is None else o.n_blocks, dropout=o.dropout)
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
        features, queries = self.options._seen(tiles), []
        for member in self.members:
            values, head, reduction = features.values, member.model.eval().image_encoder, self.reductions[member.sight]
            if isinstance(head, TunedTileEncoder):
                own = embed_tiles(tiles, head.backbone)
                values, head = np.concatenate([own, values[:, features.n_own :]], axis=1), head.head
            reduced = reduction(torch.from_numpy(values)).to(_device(member.model))
            queries.append(functional.normalize(head(reduced), dim=-1).cpu().numpy())
        return queries

    def _retrieve(
        self, queries: Iterable[np.ndarray], *, k: int, sharpness: float
    ) -> list[Float[np.ndarray, "n_tiles n_genes"]]:
        """Return each model's prediction: retrieved expression, and a share of the head's if there is one."""
        parts, share = [], self.options.regression_share
        for member, query in zip(self.members, queries, strict=True):
            part = member.bank.query(query, **_rule(member.model, k=k, sharpness=sharpness))
            if member.model.regression is not None:
                with torch.inference_mode():
                    head = member.model.regress(torch.from_numpy(query).to(_device(member.model))).cpu().numpy()
                part = (1 - share) * part + share * (head * self.spread + self.mean)
            parts.append(part)
        return parts

    def _blend(self, parts: Sequence[np.ndarray], *, context_share: float) -> Float[np.ndarray, "n_tiles n_genes"]:
        total = np.zeros(parts[0].shape)
        for weight, part in zip(self._weights(context_share), parts, strict=True):
            total += weight * part
        return total.astype(np.float32)

    def _weights(self, context_share: float) -> list[float]:
        """Return each model's weight: those that see the same count alike, then what is seen is weighed."""
        weights = {"surroundings": context_share, "place": 1 - context_share}
        n_same = Counter(member.sight for member in self.members)
        if len(n_same) == 1:
            weights = dict.fromkeys(n_same, 1.0)
        return [weights[member.sight] / n_same[member.sight] for member in self.members]

    def _choose(self, sections: list[Section]) -> Choice:
        """Settle what is left open by fitting on some training sections and scoring on the others.

        With `train_encoder` too it is settled on frozen features: end to end it would cost as much as the fit.
        """
        o = self.options
        shares: tuple[float, ...] = CONTEXT_SHARES if o.context_share is None else (o.context_share,)
        if o.context_share is None and o.n_models == 1:
            shares = (1.0, 0.0)  # one model sees the one or the other
        tried = (
            EPOCHS if o.epochs is None else (o.epochs,),
            KS if o.k is None else (o.k,),
            SHARPNESS if o.sharpness is None else (o.sharpness,),
            shares if o.context_radii_um else (0.0,),
        )
        grid = [Choice(*values) for values in itertools.product(*tried)]
        sights = tuple(dict.fromkeys(sight for share in tried[-1] for sight in _sights(share)))

        if len(grid) == 1 or len(sections) == 1:  # nothing to choose, or nobody to choose on
            return grid[0]
        fitted_on, held_out = split_validation(sections, seed=o.seed)
        truth = [self.space(section.counts) for section in held_out]
        scores = dict.fromkeys(grid, 0.0)
        for epochs in tried[0]:
            label = f"mclstexp: choosing, {epochs} epochs"
            self._fit_members(fitted_on, epochs=epochs, sights=sights, tuned=False, label=label)
            queries = [self._queries(section.tiles) for section in held_out]
            for k, sharpness in itertools.product(*tried[1:3]):
                parts = [self._retrieve(query, k=k, sharpness=sharpness) for query in queries]
                for share in tried[3]:
                    predicted = [self._blend(part, context_share=share) for part in parts]
                    scores[Choice(epochs, k, sharpness, share)] = _mean_pcc(truth, predicted)
        return max(scores, key=lambda choice: scores[choice])

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
        state = State(arrays=arrays, meta=meta | origins(self.members[0].bank))
        return state.joined(self.options._sight_state())

    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""
        self.choice = stored_part(state, "choice", Choice)
        n_genes = len(self.space.genes)
        self.mean, self.spread = stored_arrays(state, {"mean": "genes", "spread": "genes"}, genes=n_genes)
        sights = cast("tuple[Reach, ...]", stored_texts(state, "sights", among=get_args(Reach)))
        self.reductions = {s: Reduction(**unflatten(state.arrays, f"reduction.{s}.")) for s in sorted(set(sights))}
        self.members = []
        for number, sight in enumerate(sights):
            backbone = untrained_encoder(self.options.encoder) if self.options.train_encoder else None
            model = self._build(self.reductions[sight], backbone)
            model.load_state_dict(unflatten(state.arrays, f"model.{number}."))
            model = model.eval().to(self.options.torch_device())
            self.members.append(_Member(sight, model, saved_bank(state, keys=f"bank.keys.{number}", n_genes=n_genes)))


def _sights(context_share: float) -> tuple[Reach, ...]:
    """Return what models see in turn."""
    if context_share == 0:
        return ("place",)
    return ("surroundings",) if context_share == 1 else ("surroundings", "place")


def _mean_pcc(truth: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> float:
    """Average over genes and sections; genes without a score count as 0."""
    return float(
        np.mean([np.nan_to_num(pearson_per_gene(*pair)).mean() for pair in zip(truth, predicted, strict=True)])
    )


def _rule(model: ContrastiveModel, *, k: int, sharpness: float) -> dict[str, Any]:
    """Return how a model's bank is asked."""
    scale = sharpness * float(model.scale.detach())
    return {"k": k, "weights": "softmax" if scale else "uniform", "scale": scale, "device": str(_device(model))}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
