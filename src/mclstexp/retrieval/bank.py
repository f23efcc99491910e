"""`ReferenceBank`: measured spots by embedding, and the expression of those nearest to a query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.core.retrieval import Retrieval
from mclstexp.nn.cpu import prepare_cpu
from mclstexp.retrieval.cosines import row_lengths, row_sums
from mclstexp.retrieval.exact_index import QUERY_CHUNK, ROUNDING, ExactIndex

Weights = Literal["uniform", "inverse_distance", "inverse_square", "gaussian", "softmax"]

CHUNK_BYTES = 128 * 2**20
"""No temporary array grows beyond about this size, however many queries and keys there are."""


@dataclass(frozen=True, eq=False)
class ReferenceBank:
    """Keys and what was measured there. Exact search; knows no model.

    Raises
    ------
    InputError
        If the lengths differ, there is no key, or a number is not finite.
    """

    keys: Float[np.ndarray, "n_keys dim"]
    """Embeddings of the measured spots."""
    expression: Float[np.ndarray, "n_keys n_genes"]
    """Expression of the measured spots."""
    section_ids: tuple[str, ...]
    """Section of each."""
    patients: tuple[str | None, ...]
    """Patient of each, None where not known."""

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.keys, self.expression, self.section_ids, self.patients)]
        if len(set(lengths)) > 1 or lengths[0] == 0:
            msg = f"a reference bank needs as many keys as rows of expression, sections and patients, found {lengths}"
            raise InputError(msg)
        for name in ("keys", "expression"):
            values = getattr(self, name)
            # the extremes of a million keys take no memory; a mask of them takes a quarter of theirs
            if np.isfinite([values.min(initial=0), values.max(initial=0)]).all():
                continue
            n_bad = int((~np.isfinite(values)).any(axis=1).sum())
            msg = f"{name} of a reference bank must be finite, found NaN or infinity in {n_bad} of {lengths[0]} rows"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.keys)

    def without(self, patient: str) -> ReferenceBank:
        """Return the bank without a patient's spots: what may be asked about that patient's tissue.

        Spots of unknown patients go too, for they may be this one's.

        Raises
        ------
        InputError
            If nothing is left.
        """
        keep = np.array([p is not None and p != patient for p in self.patients])
        if not keep.any():
            msg = f"reference spots of other patients than {patient!r} expected, found none: add a patient to the bank"
            raise InputError(msg)
        return ReferenceBank(
            keys=self.keys[keep],
            expression=self.expression[keep],
            section_ids=tuple(np.array(self.section_ids, object)[keep]),
            patients=tuple(np.array(self.patients, object)[keep]),
        )

    def nearest(
        self, queries: Float[np.ndarray, "n_queries dim"], *, k: int, device: str = "cpu"
    ) -> tuple[Int[np.ndarray, "n_queries k"], Float[np.ndarray, "n_queries k"]]:
        """Find each query's k keys of largest cosine.

        Parameters
        ----------
        queries
            (n_queries, dim) embeddings of any length.
        k
            How many, or all keys where there are fewer.
        device
            Where torch computes.

        Returns
        -------
        (n_queries, k) rows of the bank and (n_queries, k) cosines, largest first.
        """
        checked, k = self._checked(queries, k=k)
        # filled, not joined: results that stay among buffers that go would scatter the memory
        rows, cosine = torch.empty(len(checked), k, dtype=torch.long), torch.empty(len(checked), k)
        parts = zip(rows.split(QUERY_CHUNK), cosine.split(QUERY_CHUNK), strict=True)
        for (part_rows, part_cosine), found in zip(parts, self._found(checked, k=k, device=device), strict=True):
            part_rows.copy_(found.rows)
            part_cosine.copy_(found.cosine)
        return rows.numpy(), cosine.numpy()

    def query(
        self,
        queries: Float[np.ndarray, "n_queries dim"],
        *,
        k: int,
        weights: Weights = "uniform",
        norm: float = 2.0,
        scale: float = 1.0,
        device: str = "cpu",
    ) -> Float[np.ndarray, "n_queries n_genes"]:
        """Average the expression of each query's k nearest keys.

        Parameters
        ----------
        queries
            (n_queries, dim) embeddings; nearest by cosine whatever the weights.
        k
            How many, or all keys where there are fewer.
        weights
            "uniform"; "inverse_distance" and "inverse_square" of the distance between query and key as they are,
            not normalised (mclSTExp: inverse square); "gaussian", exp(-distance²) of the same (BLEEP's weighted
            average); "softmax" of scale · cosine. With both inverse weights a query that lies on keys takes the mean
            of those alone, their limit.
        norm
            Order p of that distance (mclSTExp: 1 for her2st, 2 elsewhere).
        scale
            Inverse temperature of the softmax.
        device
            Where torch computes.

        Returns
        -------
        (n_queries, n_genes) float32.

        Raises
        ------
        InputError
            If k is not positive, the lengths of queries and keys differ, or a query is not finite.
        """
        checked, k = self._checked(queries, k=k)
        expression = self._on(device).expression
        averages = torch.empty(len(checked), expression.shape[1])
        parts = averages.split(QUERY_CHUNK)
        for part, found in zip(parts, self._found(checked, k=k, device=device), strict=True):
            share = found.weights(weights, norm=norm, scale=scale).to(expression.dtype)
            part.copy_(functional.embedding_bag(found.rows, expression, per_sample_weights=share, mode="sum"))
        return averages.numpy()

    def retrieve(
        self,
        queries: Float[np.ndarray, "n_queries dim"],
        *,
        k: int,
        weights: Weights = "uniform",
        norm: float = 2.0,
        scale: float = 1.0,
        device: str = "cpu",
    ) -> Retrieval:
        """Return which keys `query` averages with these arguments, and in which shares."""
        checked, k = self._checked(queries, k=k)
        parts = [
            (found.rows.cpu().numpy(), found.weights(weights, norm=norm, scale=scale).cpu().numpy())
            for found in self._found(checked, k=k, device=device)
        ]
        rows, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Retrieval(tiles=queries, spots=self.keys, rows=rows, shares=shares, expression=self.expression)

    def distance(
        self, queries: Float[np.ndarray, "n_queries dim"], *, device: str = "cpu"
    ) -> Float[np.ndarray, " n_queries"]:
        """Return 1 - cosine between each query and its nearest key: 0 alike, 1 unrelated."""
        return (1 - self.nearest(queries, k=1, device=device)[1][:, 0]).clip(min=0)

    def _checked(self, queries: np.ndarray, *, k: int) -> tuple[Float[Tensor, "n_queries dim"], int]:
        if queries.ndim != 2 or queries.shape[1] != self.keys.shape[1]:
            msg = f"queries of length {self.keys.shape[1]}, like the keys, expected, found an array of {queries.shape}"
            raise InputError(msg)
        if not np.isfinite(queries).all():
            msg = "finite queries expected, found NaN or infinity: check the embeddings"
            raise InputError(msg)
        if k < 1:
            msg = f"k must be at least 1, found {k}"
            raise InputError(msg)
        return torch.from_numpy(queries).to(torch.float32), min(k, len(self))

    def _found(self, queries: Float[Tensor, "n_queries dim"], *, k: int, device: str) -> Iterator[_Found]:
        prepare_cpu()
        index = self._on(device).index
        for chunk in queries.split(QUERY_CHUNK):
            placed = chunk.to(device)
            cosine, rows = index.search(placed, k=k)
            yield _Found(index=index, queries=placed, rows=rows, cosine=cosine)

    def _on(self, device: str) -> _Placed:
        """Return the bank on a device: moved there once, for as long as the bank lives."""
        if device not in self._placed:
            keys = torch.from_numpy(self.keys).to(device, torch.float32)
            self._placed[device] = _Placed(ExactIndex(keys), torch.from_numpy(self.expression).to(device))
        return self._placed[device]

    @cached_property
    def _placed(self) -> dict[str, _Placed]:
        return {}


@dataclass(frozen=True)
class _Placed:
    index: ExactIndex
    expression: Float[Tensor, "n_keys n_genes"]


@dataclass(frozen=True)
class _Found:
    """The k nearest keys of some queries."""

    index: ExactIndex
    queries: Float[Tensor, "n dim"]
    rows: Int[Tensor, "n k"]
    cosine: Float[Tensor, "n k"]

    def weights(self, rule: Weights, *, norm: float, scale: float) -> Float[Tensor, "n k"]:
        """Return each neighbour's share; rows sum to 1."""
        if rule == "uniform":
            return torch.full_like(self.cosine, 1 / self.cosine.shape[1])
        if rule == "softmax":
            return (scale * self.cosine).softmax(dim=1)
        distance = self._distance(norm)
        if rule == "gaussian":
            return (-distance.square()).softmax(dim=1)
        # relative to the nearest: nothing overflows, and 0/0 is a key the query lies on
        nearer = torch.nan_to_num(distance.amin(dim=1, keepdim=True) / distance, nan=1.0)
        share = nearer if rule == "inverse_distance" else nearer.square()
        return share / row_sums(share)[:, None]

    def _distance(self, norm: float) -> Float[Tensor, "n k"]:
        if norm == 2:  # from the cosine: gathering the keys would take three times as long as the search
            key, query = self.index.lengths[self.rows], row_lengths(self.queries)[:, None]
            apart = 1 - self.cosine
            apart[apart < ROUNDING] = 0
            return ((key - query).square() + 2 * key * query * apart).sqrt()
        keys = self.index.keys
        size = max(1, CHUNK_BYTES // (4 * self.rows.shape[1] * keys.shape[1]))
        parts = zip(self.queries.split(size), self.rows.split(size), strict=True)
        return torch.cat([_norms(keys[rows] - q[:, None], norm) for q, rows in parts])


def _norms(apart: Float[Tensor, "n k dim"], order: float) -> Float[Tensor, "n k"]:
    """Return the norm of each last axis."""
    if apart.device.type == "cpu" or order in (0, float("inf"), float("-inf")):
        return torch.linalg.vector_norm(apart, ord=order, dim=2)
    return row_sums(apart.abs().pow(order)).pow(1 / order)
