"""MMP (Song et al. 2024): tokens of prototypes and tokens of pathways, joined by attention or by transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mclstexp.cohort.linear.pathways import Source, part_of
from mclstexp.cohort.networks.effects import pair_effects, share_effects, some_rows
from mclstexp.cohort.networks.gene_groups import GeneGroups
from mclstexp.cohort.networks.model import Look, NetworkModel
from mclstexp.cohort.networks.slide_tokens import Kind, TokenMaker, TokenScale
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import register
from mclstexp.core.stored import stored_arrays
from mclstexp.nn.clean_mmp import CleanMmp
from mclstexp.nn.device import torch_device
from mclstexp.nn.mmp import MmpForm, PublishedMmp

_DROPPED: Final = 0.2
"""Share of the training patients who are shown without slide or without expression, where either may be missing."""
_LEAST: Final = 1e-6
"""The least share, where its logarithm is taken."""
_RELEASED: Final[Mapping[str, Any]] = {
    "network": "published",
    "tokens": "full",
    "reads": "genes",
    "epsilon": 0.1,
    "pseudo_count": 0.001,
    "standardise": False,
    "width": 256,
    "dropout": 0.25,
    "epochs": 50,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 1e-5,
    "schedule": "cosine",
    "clip_norm": None,
    "n_models": 1,
}


@register("mmp")
@dataclass
class MmpModel(NetworkModel):
    """A slide as shares of prototypes, expression as pathways, and a Transformer block over both.

    By default a network of our own: a token holds its prototype's standardised share alone (means and variances of a
    thousand features drown it), pathways and prototypes look at each other in one softmax with a way round it, how long
    it is fitted is chosen on held-out training sites, and five networks are averaged.

    The preset "published" is the released one: share, means and variances of each prototype, codes that are learnt and
    appended, an attention without a way round it in which prototypes' weights pass through two softmaxes, a network for
    each token. "published_text" has the prior that the paper describes; in "published_transport" unbalanced transport
    joins the tokens. Of the release differ: which tiles k-means sees (drawn, alike from each patient; it takes the
    first rows), ties (Efron's), the warm-up (a tenth of the steps; it takes one epoch), and that all weights decay.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": _RELEASED,
        "published_text": {**_RELEASED, "epsilon": 1.0, "pseudo_count": 1.0},
        "published_transport": {**_RELEASED, "fusion": "transport"},
    }

    network: Literal["clean", "published"] = "clean"
    """Ours, or the released one."""
    fusion: Literal["transformer", "transport", "late"] = "transformer"
    """How tokens of the published network see each other: by attention, by transport, or not at all."""
    tokens: Kind = "share"
    """What a prototype's token holds: its share; with it where its tiles lie on eight principal axes ("share_mean");
    share, means and variances ("full"); or its tiles by entropic transport, near ones first ("transport")."""
    log_ratio: bool = False
    """Whether shares are taken as logarithms less their mean."""
    reads: Source = "scores"
    """What of pathways it reads: their scores, or expression of their genes."""
    n_prototypes: int = 16
    """Kinds of tiles."""
    epsilon: float | Literal["within"] = "within"
    """Variance around each prototype; "within" is that of the training tiles."""
    pseudo_count: float = 1.0
    """Tiles that the prior counts for, in each prototype."""
    rounds: int = 1
    """Of expectation and maximisation."""
    standardise: bool = True
    """Whether each feature is first brought to mean 0 and standard deviation 1."""
    max_tiles: int = 50_000
    """Tiles that k-means sees, as many of each patient."""
    width: int = 32
    """Of a token."""
    dropout: float = 0.1
    """In pathways' networks and in the block."""
    missing: Literal["refuse", "drop_token"] = "refuse"
    """What is done with a patient without slide or without expression: refused, or a token that is learnt stands in its
    place; then a fifth of the training patients are shown without one of the two."""
    epochs: int | None = None
    """Passes over the training patients; None: 30, 60 or 100, chosen on training sites held out in turn."""
    batch_size: int = 4096
    """Patients in a batch; Cox compares within it."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    weight_decay: float = 1e-2
    """See `optimiser`."""
    schedule: Literal["cosine", "constant"] = "constant"
    """Of the learning rate, after a tenth of warm-up; or none."""
    n_models: int = 5
    """Networks fitted with different seeds; what they say is averaged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_prototypes", "rounds", "max_tiles", "width"):
            self._require(name, getattr(self, name) >= (2 if name == "n_prototypes" else 1), "a larger number")
        self._require("epsilon", self.epsilon == "within" or self.epsilon > 0, "a number above 0, or within,")
        self._require("dropout", 0 <= self.dropout < 1, "a share from 0 to below 1")
        self._require("pseudo_count", self.pseudo_count > 0, "a number above 0")
        self._require(
            "fusion", self.network == "published" or self.fusion == "transformer", "transformer for a clean network"
        )
        self._require("missing", self.network == "clean" or self.missing == "refuse", "refuse for a published network")
        self._require("width", self.network == "published" or self.width % 4 == 0, "a multiple of 4")

    @property
    def takes(self) -> frozenset[Part]:
        """What of patients it looks at."""
        return frozenset({"bags", part_of(self.reads)})

    @property
    def may_lack(self) -> frozenset[Part]:
        """What single patients may be without."""
        return self.takes if self.missing == "drop_token" else frozenset()

    def explain(self) -> dict[str, pd.DataFrame]:
        """See `OutcomeModel.explain`: `Prototypes.tables`, and "products".

        These, of tokens that hold shares: what the risk gains, in the mean over training patients, when the share of a
        prototype and the expression of a pathway rise by a standard deviation each, beyond what it gains by one alone.
        """
        found = self.maker_.prototypes
        said = found.tables()
        if self._has_shares:
            said["products"] = pd.DataFrame(self.pairs_, index=found.names, columns=list(self.groups_.columns))
        return said

    def explain_tiles(self, patients: Patients) -> Iterator[tuple[str, pd.DataFrame]]:
        """See `OutcomeModel.explain_tiles`: how the risk moves with a few more of such tiles, and "weight".

        That is how much all tokens look at those of the tile's prototypes, 1 as at the mean token. Nothing of tokens
        that hold more than shares, or of the published network.
        """
        start, found = self.maker_.prior.start(), self.maker_.prototypes
        shown = self._shown(patients, fitted=True)
        for row, (name, bag) in enumerate(zip(shown.ids, shown.bags or (), strict=True)):
            if bag is None or not self._has_shares:
                continue
            likely = np.concatenate([start.responsibilities(chunk) for chunk in found.chunks(bag)])
            genes = torch.from_numpy(self.groups_.values(shown.subset([name])))
            there = torch.from_numpy(self._present(shown)[row])
            moved = share_effects(partial(self._risk_of_shares, genes=genes, present=there), likely.mean(axis=0))
            looked = self._looked_at(likely.mean(axis=0), genes=genes, present=there)
            yield name, found.tile_table(likely, risk=likely @ moved).assign(weight=likely @ looked)

    @property
    def _has_shares(self) -> bool:
        return self.network == "clean" and self.tokens == "share"

    def _risk_of_shares(
        self, shares: Float[np.ndarray, "n k"], *, genes: Float[Tensor, "1 n_values"], present: Bool[Tensor, " 2"]
    ) -> Float[np.ndarray, " n"]:
        tokens, n = self._tokens_of_shares(shares), len(shares)
        return self._risk_of(tokens, genes.expand(n, -1), present.expand(n, -1))

    def _tokens_of_shares(self, shares: Float[np.ndarray, "n k"]) -> Float[Tensor, "n k 1"]:
        raw = np.stack([self.maker_.described(np.maximum(own, _LEAST)) for own in shares])[..., None]
        return torch.from_numpy(self.token_scale_(raw, clip=True))

    @torch.inference_mode()
    def _looked_at(
        self, shares: Float[np.ndarray, " k"], *, genes: Float[Tensor, "1 n_values"], present: Bool[Tensor, " 2"]
    ) -> Float[np.ndarray, " k"]:
        seen = (self._tokens_of_shares(shares[None]), genes, present[None])
        there = tuple(part.to(torch_device(self.device)) for part in seen)
        found = [net.looked_at(*there)[0] for net in self.networks_ if isinstance(net, CleanMmp)]
        return torch.stack(found).mean(dim=0).double().cpu().numpy()

    def _risk_of(self, *seen: Tensor) -> Float[np.ndarray, " n"]:
        there = tuple(part.to(torch_device(self.device)) for part in seen)

        def look(rows: Tensor, *, draw: bool) -> tuple[Tensor, ...]:  # noqa: ARG001  nothing of it is drawn
            return tuple(part[rows] for part in there)

        return self.read_out_.risk(self._heard(look, torch.arange(len(seen[0]))))

    def _learn_effects(self, look: Look, n_patients: int) -> None:
        if not self._has_shares:
            return
        tokens, genes, present = look(some_rows(n_patients), draw=False)

        def risk(tokens: Tensor, genes: Tensor) -> Float[np.ndarray, " n"]:
            return self._risk_of(tokens, genes, present)

        self.pairs_ = pair_effects(risk, tokens, genes, sizes=self.groups_.sizes)

    def _learn_inputs(self, patients: Patients) -> None:
        found = Prototypes.fit(
            patients, self.n_prototypes, standardise=self.standardise, max_tiles=self.max_tiles, seed=self.seed
        )
        self.maker_ = self._maker(found)
        self.groups_ = GeneGroups.fit(patients, self.reads, name=self.name)
        raw = self.maker_(patients)
        self._made = patients, raw  # tiles are gone through once for what is learnt of tokens and for what is shown
        self.token_scale_ = TokenScale.fit(
            raw, project=self.tokens == "share_mean", standardise=self.network == "clean"
        )

    def _maker(self, prototypes: Prototypes) -> TokenMaker:
        prior = prototypes.prior(self.pseudo_count, self.epsilon)
        return TokenMaker(prototypes, prior, self.tokens, self.log_ratio, self.rounds)

    def _look(self, patients: Patients) -> Look:
        device = torch_device(self.device)
        of, raw = self.__dict__.pop("_made", (None, None))
        raw = raw if of is patients else self.maker_(patients)
        tokens = torch.from_numpy(self.token_scale_(raw, clip=self.network == "clean")).to(device)
        genes = torch.from_numpy(self.groups_.values(patients)).to(device)
        if self.network == "published":
            return lambda rows, draw: (tokens[rows], genes[rows])  # noqa: ARG005  nothing of it is drawn
        present = torch.from_numpy(self._present(patients)).to(device)

        def look(rows: Tensor, *, draw: bool) -> tuple[Tensor, ...]:
            there = present[rows]
            if draw and self.missing == "drop_token":
                there = there & ~_dropped(len(rows)).to(device) | (there.sum(dim=1, keepdim=True) < 2) & there
            return tokens[rows], genes[rows], there

        return look

    def _present(self, patients: Patients) -> np.ndarray:
        """Say who has expression, and who a slide."""
        lacking = [set(patients.without(part)) for part in (part_of(self.reads), "bags")]
        present = np.array([[name not in lacks for lacks in lacking] for name in patients.ids])
        if not present.any(axis=1).all():
            name = patients.ids[int(np.argmin(present.any(axis=1)))]
            msg = f"a slide or expression of each patient expected for {self.name}, found neither of {name!r}"
            raise InputError(msg)
        return present

    def _network(self) -> nn.Module:
        sizes, (k, dim), n_out = self.groups_.sizes, self.token_scale_.mean.shape, self.read_out_.n_out
        if self.network == "published":
            form = MmpForm(width=self.width, fusion=self.fusion)
            return PublishedMmp(sizes, k, dim, form=form, n_out=n_out, dropout=self.dropout)
        bias = self.kind_ != "survival" or self.loss == "hazards"
        return CleanMmp(sizes, k, dim, width=self.width, n_out=n_out, bias=bias, dropout=self.dropout)

    def _inputs_state(self) -> State:
        pairs = State({"pairs": self.pairs_} if self._has_shares else {}, {})
        kept = self.maker_.prototypes.state().joined(self.groups_.state()).joined(self.token_scale_.state())
        return kept.joined(pairs)

    def _take_inputs(self, state: State) -> None:
        self.maker_ = self._maker(Prototypes.of_state(state, dim=self.dim_))
        self.groups_ = GeneGroups.of_state(state)
        self.token_scale_ = TokenScale.of_state(state, k=self.n_prototypes)
        if self._has_shares:
            layout = {"pairs": "k groups"}
            (self.pairs_,) = stored_arrays(state, layout, k=self.n_prototypes, groups=len(self.groups_.columns))


def _dropped(n: int) -> Tensor:
    """Draw what is left out of each patient in training: mostly nothing, else expression or the slide."""
    draw = torch.rand(n)
    return torch.stack([draw < _DROPPED / 2, draw > 1 - _DROPPED / 2], dim=1)
