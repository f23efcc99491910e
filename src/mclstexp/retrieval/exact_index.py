"""`ExactIndex`: the keys of largest cosine to each query, in memory that does not grow with the number of keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from types import ModuleType
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mclstexp.retrieval.cosines import best, cosines_with, row_lengths

QUERY_CHUNK = 512
"""Queries of one search."""
PIECE = 16_384
"""Keys multiplied at once on a CPU: enough for a fast product, few enough that the cosines are read from its cache."""
PIECE_ELSEWHERE = 65_536
BLOCK = 64
"""Queries whose candidates one thread looks after at a time."""
MANY = 1 / 16
"""Above this share of candidates it is quicker to look at every key of a piece."""
FAISS_FROM = 20_000
"""Keys from which a CPU's search goes through FAISS, if it is installed.

Measured with 512 queries, k of 50 and 200, on an x86-64 with AVX-512 (torch on MKL, faiss-cpu 1.15 on OpenBLAS). With
64 numbers a key FAISS is level at 10,000 keys, 1.2 to 1.7 times as fast at 20,000 and 1.4 to 2 times at 100,000. With
256 it loses by a tenth at 10,000 and is level at 20,000; at 100,000 it is 1.2 times as fast on two cores, and still
level on one.
"""
ROUNDING = 1e-6
"""Lengths and cosines in float32 so near to 1 are 1."""
PRODUCTS = 2**24
"""Numbers of a product with all keys, where that is needed."""
SPARE = 16
"""Candidates beyond the k nearest: which those are, a fast product does not know to the last bit."""
_NONE: Final = np.iinfo(np.int64).min
_SETTINGS = Lock()

Nearest = tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]
"""Cosines, largest first, and rows of keys."""


@dataclass(frozen=True, eq=False)
class ExactIndex:
    """Keys on a device, searched exactly; through FAISS where that is quicker and there."""

    keys: Float[Tensor, "n_keys dim"]
    """float32, of any length."""

    @cached_property
    def lengths(self) -> Float[Tensor, " n_keys"]:
        """Euclidean length of each key."""
        return row_lengths(self.keys)

    def search(self, queries: Float[Tensor, "n dim"], *, k: int) -> Nearest:
        """Return cosine and row of the k nearest keys of at most `QUERY_CHUNK` queries.

        The answer to a query does not depend on the others, to the last bit, on any processor and with any library:
        fast products choose candidates, and the cosines that rank them are `cosines_with`. Of equal keys the earlier
        come first.

        Parameters
        ----------
        queries
            (n, dim) on the keys' device, of any length.
        k
            How many, at most n_keys.
        """
        if len(queries) == 0:
            return queries.new_empty(0, k), queries.new_empty(0, k, dtype=torch.long)
        unit = queries / row_lengths(queries).clamp_min(1e-12)[:, None]
        n_candidates = min(k + SPARE, len(self.keys))
        fast, candidates = self._candidates(unit, k=n_candidates)
        cosine, rows = best(cosines_with(self.keys, self.lengths, unit, candidates), candidates, k=k)
        if n_candidates < len(self.keys):
            floor = fast[:, k - 1] - self._doubt
            unsure = (fast[:, -1] >= floor).nonzero()[:, 0]  # a key left out may be as near
            for part in unsure.split(max(1, PRODUCTS // len(self.keys))) if len(unsure) else ():
                cosine[part], rows[part] = self._among_all(unit[part], floor[part], k=k)
        return cosine, rows

    @property
    def _doubt(self) -> float:
        """How far two keys' cosines by a fast product can be apart and still be in another order.

        A sum of n products is wrong by at most n roundings of the sum of their sizes (Higham, Accuracy and Stability
        of Numerical Algorithms, 2002, section 3.1), which for vectors of length 1 is at most 1. Both ways to compute
        are, for both keys; a few roundings more are in their lengths.
        """
        return 4 * (self.keys.shape[1] + 8) * 2.0**-24

    def _candidates(self, unit: Float[Tensor, "n dim"], *, k: int) -> Nearest:
        """Return the k nearest keys by the quickest product there is, largest cosine first."""
        if self.keys.device.type != "cpu":
            return self._by_topk(unit, k=k)
        if len(self.keys) >= FAISS_FROM and _faiss() is not None:
            return _by_faiss(unit.numpy(), self._unit_keys, k=k)
        return self._by_pieces(unit, k=k)

    def _among_all(self, unit: Float[Tensor, "n dim"], floor: Float[Tensor, " n"], *, k: int) -> Nearest:
        """Rank every key that comes up to a query's floor, however many do: there may be thousands of equal ones."""
        fast = (unit @ self.keys.T).div_(self.lengths.clamp_min(1e-12))
        found = []
        for query, near in zip(unit, fast >= floor[:, None], strict=True):
            rows = near.nonzero().T
            found.append(best(cosines_with(self.keys, self.lengths, query[None], rows), rows, k=k))
        cosine, rows = (torch.cat(parts) for parts in zip(*found, strict=True))
        return cosine, rows

    def _by_pieces(self, unit: Float[Tensor, "n dim"], *, k: int) -> Nearest:
        """Go through the keys piece by piece."""
        n = len(unit)
        scale = 1 / self.lengths.clamp_min(1e-12)
        blocks = [_Candidates(k) for _ in range(0, n, BLOCK)]
        # written over piece by piece: a new one each time would take three times the memory
        products = torch.empty(len(unit) * min(PIECE, len(self.keys)))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for start in range(0, len(self.keys), PIECE):
                piece = self.keys[start : start + PIECE]
                out = products[: len(unit) * len(piece)].view(len(unit), len(piece))
                dots = torch.mm(unit, piece.T, out=out).numpy()
                part = scale[start : start + PIECE].numpy()
                waiting = [
                    pool.submit(block.look_at, dots[i * BLOCK : (i + 1) * BLOCK], part, first=start)
                    for i, block in enumerate(blocks)
                ]
                for done in waiting:
                    done.result()
            found = list(pool.map(_Candidates.nearest, blocks))
        cosine, rows = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))
        return cosine, rows

    def _by_topk(self, unit: Float[Tensor, "n dim"], *, k: int) -> Nearest:
        largest = torch.empty(len(unit), 0, device=unit.device)
        rows = torch.empty(len(unit), 0, dtype=torch.long, device=unit.device)
        for start in range(0, len(self.keys), PIECE_ELSEWHERE):
            piece = slice(start, start + PIECE_ELSEWHERE)
            cosine = (unit @ self.keys[piece].T).div_(self.lengths[piece].clamp_min(1e-12))
            found = cosine.topk(min(k, cosine.shape[1]), dim=1, sorted=False)
            largest, rows = torch.cat([largest, found.values], dim=1), torch.cat([rows, found.indices + start], dim=1)
            largest, chosen = largest.topk(min(k, largest.shape[1]), dim=1)
            rows = rows.gather(1, chosen)
        return largest, rows

    @cached_property
    def _unit_keys(self) -> Float[np.ndarray, "n_keys dim"]:
        """Keys of length 1 for FAISS: the same array if they are, else a copy that stays as long as the index."""
        if bool(((self.lengths - 1).abs() <= ROUNDING).all()):
            return self.keys.contiguous().numpy()
        return (self.keys / self.lengths.clamp_min(1e-12)[:, None]).numpy()


class _Candidates:
    """Keys that may be among the k nearest of a block of queries, of those seen.

    Of a piece of keys only those are kept that come up to a query's k-th largest cosine so far. They are fewer and
    fewer, so that nearly all of a search's time is the product's. By numpy: torch takes six times as long to find
    them, and four times as long to partition.

    A candidate is one integer: the cosine's bits above the row's, so that larger cosines and, among equal ones,
    earlier rows are larger. Equal keys then come out the same whatever was asked beside a query.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.found: list[Int[np.ndarray, "n m"]] = []
        self.floor: Float[np.ndarray, "n 1"] | None = None

    def look_at(self, dots: Float[np.ndarray, "n m"], scale: Float[np.ndarray, " m"], *, first: int) -> None:
        """Take in products with the keys from row `first` on, scaling them to cosines in place."""
        np.multiply(dots, scale, out=dots)
        floor = self._first_floor(dots) if self.floor is None else self.floor
        where = np.flatnonzero(dots >= floor)
        if len(where) > MANY * dots.size:
            codes = _codes(dots, first + np.arange(dots.shape[1]))
            self.found.append(_largest(codes, self.k))
        else:
            self.found.append(_packed(dots, where, first=first))
        if self.floor is None or sum(codes.shape[1] for codes in self.found) > 2 * self.k:
            self._settle()

    def nearest(self) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
        """Return cosines, largest first, and rows."""
        codes = np.sort(self._settle(), axis=1)[:, ::-1]
        return _cosines(codes), 0xFFFF_FFFF - (codes & 0xFFFF_FFFF)

    def _first_floor(self, cosine: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n 1"]:
        """Return what at least k keys reach: the k-th largest of the largest of sixteens."""
        n, m = cosine.shape
        if m // 16 < self.k:
            return np.full((n, 1), -np.inf, np.float32)
        largest = cosine[:, : m // 16 * 16].reshape(n, 16, -1).max(axis=1)
        return np.partition(largest, -self.k, axis=1)[:, -self.k, None]

    def _settle(self) -> Int[np.ndarray, "n at_most_k"]:
        codes = _largest(np.concatenate(self.found, axis=1), self.k)
        self.found = [codes]
        if codes.shape[1] == self.k:
            self.floor = _cosines(codes.min(axis=1, keepdims=True))
        return codes


def _largest(values: Int[np.ndarray, "n m"], k: int) -> Int[np.ndarray, "n at_most_k"]:
    return values if k >= values.shape[1] else np.partition(values, -k, axis=1)[:, -k:]


def _codes(cosine: Float[np.ndarray, "..."], rows: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    bits = cosine.view(np.int32)
    # the bits of negative floats fall as the floats rise; all but the sign turned round, they rise too
    rising = bits ^ ((bits >> 31) & 0x7FFF_FFFF)
    return (rising.astype(np.int64) << 32) | (0xFFFF_FFFF - rows)


def _cosines(codes: Int[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    rising = (codes >> 32).astype(np.int32)
    return (rising ^ ((rising >> 31) & 0x7FFF_FFFF)).view(np.float32)


def _packed(
    cosine: Float[np.ndarray, "n m"], where: Int[np.ndarray, " n_found"], *, first: int
) -> Int[np.ndarray, "n most"]:
    """Return the codes of cosines at flat positions `where` (ascending), those of each row from the left on."""
    n, m = cosine.shape
    query, key = np.divmod(where, m)
    count = np.bincount(query, minlength=n)
    codes = np.full((n, count.max()), _NONE)
    place = np.arange(len(where)) - np.repeat(np.cumsum(count) - count, count)
    codes[query, place] = _codes(cosine[query, key], first + key)
    return codes


@cache
def _faiss() -> ModuleType | None:
    """Return the module, or None where the extra `faiss` is not installed."""
    try:
        import faiss  # noqa: PLC0415  an extra, and slow
    except ImportError:
        return None
    return faiss


def _by_faiss(unit: Float[np.ndarray, "n dim"], unit_keys: Float[np.ndarray, "n_keys dim"], *, k: int) -> Nearest:
    """Let FAISS's exact search answer, in Python's threads.

    Its own OpenMP threads wait for each other thousands of times in a search: as quick while the machine is idle,
    several times slower beside anything that runs, such as the threads that read tiles.
    """
    faiss = _faiss()
    assert faiss is not None
    n_threads = min(torch.get_num_threads(), len(unit))

    def nearest(part: Float[np.ndarray, "m dim"]) -> tuple[np.ndarray, np.ndarray]:
        return faiss.knn(part, unit_keys, k, metric=faiss.METRIC_INNER_PRODUCT)

    with _SETTINGS, ThreadPoolExecutor(n_threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        # below 128,000 numbers in the queries FAISS does without matrix products, which takes up to ten times as long
        before, faiss.cvar.distance_compute_blas_threshold = faiss.cvar.distance_compute_blas_threshold, 1
        try:
            found = list(pool.map(nearest, np.array_split(unit, n_threads)))
        finally:
            faiss.cvar.distance_compute_blas_threshold = before
    cosine, rows = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))
    return cosine, rows
