"""One attention over two kinds of tokens, as MMP and SurvPath have it: a head, no way round it, no way out of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Mode = Literal["all", "own", "partial", "across"]
"""Who looks at whom: everybody at everybody; at their own kind; pathways at everybody and prototypes at pathways alone
(SurvPath); at the other kind."""


class Scores(NamedTuple):
    """Scaled scores before any softmax, and the weights that were used."""

    raw: Float[Tensor, "n n_tokens n_tokens"]
    weights: Float[Tensor, "n n_tokens n_tokens"]
    n_pathways: int
    """The first rows and columns; the others are prototypes."""

    @property
    def pathways_to_slide(self) -> Float[Tensor, "n n_pathways n_prototypes"]:
        """Raw scores of prototypes for each pathway."""
        return self.raw[:, : self.n_pathways, self.n_pathways :]

    @property
    def slide_to_pathways(self) -> Float[Tensor, "n n_prototypes n_pathways"]:
        """Raw scores of pathways for each prototype."""
        return self.raw[:, self.n_pathways :, : self.n_pathways]


class TokenAttention(nn.Module):
    """LayerNorm, one head, tokens of half the length.

    Parameters
    ----------
    dim
        Length of a token.
    mode
        Who looks at whom.
    released_softmax
        Two softmaxes over what prototypes look at, see `MmpForm`; of mode "all" alone.
    """

    def __init__(self, dim: int, *, mode: Mode = "all", released_softmax: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * (dim // 2), bias=False)
        self.mode, self.released_softmax = mode, released_softmax and mode == "all"

    def forward(
        self, tokens: Float[Tensor, "n n_tokens dim"], n_pathways: int
    ) -> tuple[Float[Tensor, "n n_tokens half"], Scores]:
        """Return new tokens; the first `n_pathways` are pathways."""
        query, key, value = self.to_qkv(self.norm(tokens)).chunk(3, dim=-1)
        raw = query @ key.transpose(1, 2) * query.shape[-1] ** -0.5
        scores = raw
        if self.released_softmax:
            slide = raw[:, n_pathways:]
            slide = torch.cat([slide[..., :n_pathways].softmax(dim=-1), slide[..., n_pathways:]], dim=-1)
            scores = torch.cat([raw[:, :n_pathways], slide], dim=1)
        seen = _seen(self.mode, tokens.shape[1], n_pathways).to(raw.device)
        weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
        return weights @ value, Scores(raw, weights, n_pathways)


def _seen(mode: Mode, n_tokens: int, n_pathways: int) -> Bool[Tensor, "n_tokens n_tokens"]:
    pathway = torch.arange(n_tokens) < n_pathways
    same = pathway[:, None] == pathway[None, :]
    if mode == "all":
        return torch.ones_like(same)
    return {"own": same, "across": ~same, "partial": pathway[:, None] | pathway[None, :]}[mode]
