"""MMP's network as published (Song et al. 2024): tokens of prototypes and of pathways, joined, and read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.pathway_networks import PathwayNetworks
from mclstexp.nn.token_attention import Scores, TokenAttention
from mclstexp.nn.transport import relative_cost, unbalanced_plan

_CODE_DIM = 32


@dataclass(frozen=True)
class MmpForm:
    """Which of the published networks it is."""

    width: int = 256
    """Of a token before its code."""
    code: Literal["learnt", "one_hot", "modality", "none"] = "learnt"
    """What is appended to a token, to say which it is."""
    fusion: Literal["transformer", "transport", "late"] = "transformer"
    """How tokens see each other: one attention over all of them, unbalanced transport, or not at all."""
    looks_at: Literal["both", "slide", "pathways"] = "both"
    """Which tokens are read off in the end; of one kind alone, the others are not attended to either."""
    own_feed: bool = True
    """Whether each token has a feed-forward network of its own."""
    pooling: Literal["mean", "joined"] = "mean"
    """Prototypes' tokens are averaged, or stand beside each other."""
    released_softmax: bool = True
    """Whether a prototype's weights pass through two softmaxes, as in the release: raw scores of the other prototypes
    beside weights of the pathways, which can then hardly choose a pathway."""


class PublishedMmp(nn.Module):
    """Published MMP.

    Parameters
    ----------
    sizes
        How many genes each pathway has.
    n_prototypes, token_dim
        How many, and numbers of each: share, means and variances.
    form
        Which variant.
    n_out
        Numbers returned: 1 log hazard ratio, or a logit for each time bin.
    dropout
        Of the pathways' networks; the feed-forward ones keep their 0.1, or none where this is 0.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        n_prototypes: int,
        token_dim: int,
        *,
        form: MmpForm | None = None,
        n_out: int = 1,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.form = form = MmpForm() if form is None else form
        self.pathways = PathwayNetworks(sizes, form.width, dropout=dropout)
        self.project = nn.Linear(token_dim, form.width)
        self.codes = _Codes(len(sizes), n_prototypes, form.code)
        dim = form.width + self.codes.dim
        self.attention: TokenAttention | None = None
        if form.fusion != "late":
            alone = form.looks_at != "both" or form.fusion == "transport"
            mode: Literal["own", "all"] = "own" if alone else "all"
            self.attention = TokenAttention(dim, mode=mode, released_softmax=form.released_softmax)
            dim //= 2
        self.feed = _Feed(len(sizes) + n_prototypes, dim, own=form.own_feed, dropout=min(0.1, dropout))
        self.norm = nn.LayerNorm(dim)
        n_slide = n_prototypes if form.pooling == "joined" else 1
        n_read = {"both": n_slide + 1, "slide": n_slide, "pathways": 1}[form.looks_at]
        self.head = nn.Linear(n_read * dim, n_out, bias=False)

    def forward(
        self, tokens: Float[Tensor, "n n_prototypes token_dim"], genes: Float[Tensor, "n n_values"]
    ) -> Float[Tensor, "n n_out"]:
        """Return what is said of each patient; `genes` as `PathwayNetworks` takes them."""
        return self.judged(tokens, genes).logits

    def judged(self, tokens: Float[Tensor, "n n_prototypes token_dim"], genes: Float[Tensor, "n n_values"]) -> Judged:
        """Return what is said of each patient, and who attended to whom."""
        pathways, slide = self.codes(self.pathways(genes), self.project(tokens))
        if self.form.fusion == "transport":
            plan = unbalanced_plan(relative_cost(slide, pathways))
            back = unbalanced_plan(relative_cost(pathways, slide))
            pathways, slide = plan.transpose(1, 2) @ slide, back.transpose(1, 2) @ pathways
        joined, scores = torch.cat([pathways, slide], dim=1), None
        if self.attention is not None:
            joined, scores = self.attention(joined, pathways.shape[1])
        joined = self.norm(self.feed(joined))
        return Judged(self.head(self._read(joined, pathways.shape[1])), scores)

    def _read(self, joined: Tensor, n_pathways: int) -> Tensor:
        slide = joined[:, n_pathways:]
        slide = slide.mean(dim=1) if self.form.pooling == "mean" else slide.flatten(1)
        pathways = joined[:, :n_pathways].mean(dim=1)
        return {"both": torch.cat([pathways, slide], dim=1), "slide": slide, "pathways": pathways}[self.form.looks_at]


class Judged(NamedTuple):
    """What the network says."""

    logits: Float[Tensor, "n n_out"]
    scores: Scores | None
    """Who attended to whom; None where nobody attends."""


class _Codes(nn.Module):
    """What is appended to tokens."""

    def __init__(self, n_pathways: int, n_prototypes: int, kind: str) -> None:
        super().__init__()
        self.dim = {"learnt": _CODE_DIM, "one_hot": n_pathways + n_prototypes, "modality": 2, "none": 0}[kind]
        self.learnt = kind == "learnt"
        if kind == "learnt":
            self.pathways = nn.Parameter(torch.randn(1, n_pathways, _CODE_DIM))
            self.slide = nn.Parameter(torch.randn(1, n_prototypes, _CODE_DIM))
            return
        rows = torch.eye(self.dim)[None]
        if kind == "modality":
            rows = torch.cat([rows[:, :1].expand(1, n_prototypes, 2), rows[:, 1:].expand(1, n_pathways, 2)], dim=1)
        if kind == "none":
            rows = torch.empty(1, n_pathways + n_prototypes, 0)
        # the release counts prototypes first
        self.register_buffer("pathways", rows[:, n_prototypes:].clone(), persistent=False)
        self.register_buffer("slide", rows[:, :n_prototypes].clone(), persistent=False)

    def forward(self, pathways: Tensor, slide: Tensor) -> tuple[Tensor, Tensor]:
        if self.dim == 0:
            return pathways, slide
        n = len(slide)
        return (
            torch.cat([pathways, self.pathways.expand(n, -1, -1)], dim=2),
            torch.cat([slide, self.slide.expand(n, -1, -1)], dim=2),
        )


class _Feed(nn.Module):
    """A feed-forward network on each token, its own or the one they share; nothing is added back."""

    def __init__(self, n_tokens: int, dim: int, *, own: bool, dropout: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(_feed(dim, dropout) for _ in range(n_tokens if own else 1))

    def forward(self, tokens: Float[Tensor, "n n_tokens dim"]) -> Float[Tensor, "n n_tokens dim"]:
        if len(self.networks) == 1:
            return self.networks[0](tokens)
        own = tokens.unbind(dim=1)
        return torch.stack([network(token) for network, token in zip(self.networks, own, strict=True)], dim=1)


def _feed(dim: int, dropout: float) -> nn.Sequential:
    layers = nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, dim)
    return nn.Sequential(nn.LayerNorm(dim), *layers)


def load_published(network: PublishedMmp, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the release's names; those that reach no output are passed over.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    form = network.form
    feed = 0 if form.fusion == "late" else 1
    unused = f"coattn.{feed}.norm." if form.own_feed else "nothing"
    inner = [(rf"^coattn\.{feed}\.net\.(\d+)\.norm\.", r"feed.networks.\1.0.")]
    inner += [(rf"^coattn\.{feed}\.net\.(\d+)\.net\.0\.", r"feed.networks.\1.1.")]
    inner += [(rf"^coattn\.{feed}\.net\.(\d+)\.net\.3\.", r"feed.networks.\1.4.")]
    if not form.own_feed:
        parts = {"norm": 0, r"net\.0": 1, r"net\.3": 4}
        inner = [(rf"^coattn\.{feed}\.{part}\.", f"feed.networks.0.{ours}.") for part, ours in parts.items()]
    patterns = [
        (r"^sig_networks", "pathways.networks"),
        (r"^path_proj_net\.0", "project"),
        ("^histo_embedding", "codes.slide"),
        ("^gene_embedding", "codes.pathways"),
        *inner,
        (rf"^coattn\.{feed + 1}\.", "norm."),
        (r"^coattn\.0\.norm\.", "attention.norm."),
        (r"^coattn\.0\.attn\.", "attention."),
        ("^classifier", "head"),
    ]
    used = {name: tensor for name, tensor in weights.items() if not name.startswith(unused)}
    fill(network, renamed(used, patterns), what="the published MMP", source=source)
