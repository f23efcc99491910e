"""Cosines and sums that do not depend on what else is computed beside them, on any processor.

A product of matrices rounds as its shape, the processor and the library want it, so that one row's last bits follow
from how many others there are. What is here adds up each row by itself, in an order that its length alone decides.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

GATHERED_BYTES = 2**20
"""Keys gathered at once by a thread: they stay in its cache."""
GATHERED_BYTES_ELSEWHERE = 2**27


def row_sums(values: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows"]:
    """Add up the last axis."""
    if _on_cpu(values):
        return values.sum(dim=-1)
    # a GPU shares a sum among more threads where there are fewer sums; halves are added number by number
    while (n := values.shape[-1]) > 1:
        half, odd = values[..., : n // 2] + values[..., n // 2 : 2 * (n // 2)], values[..., 2 * (n // 2) :]
        values = torch.cat([half, odd], dim=-1)
    return values.sum(dim=-1)


def row_lengths(values: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows"]:
    """Return the Euclidean length of each row."""
    return row_sums(values.square()).sqrt()


def cosines_with(
    keys: Float[Tensor, "n_keys dim"],
    lengths: Float[Tensor, " n_keys"],
    unit: Float[Tensor, "n dim"],
    rows: Int[Tensor, "n m"],
) -> Float[Tensor, "n m"]:
    """Return each query's cosine with its own m keys, whose lengths are given; 0 with keys of length 0."""
    n, m = rows.shape
    products = torch.empty(n, m, device=unit.device)
    limit = GATHERED_BYTES if _on_cpu(unit) else GATHERED_BYTES_ELSEWHERE
    size = max(1, limit // max(1, 4 * m * keys.shape[1]))
    parts = list(zip(products.split(size), unit.split(size), rows.split(size), strict=True))
    if not _on_cpu(unit):
        for into, queries, chosen in parts:
            into.copy_(row_sums(keys[chosen] * queries[:, None]))
    else:
        table = keys.numpy()

        def multiply(part: tuple[Tensor, ...]) -> None:
            into, queries, chosen = (tensor.numpy() for tensor in part)
            np.einsum("qmd,qd->qm", table[chosen], queries, out=into)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(multiply, parts))
    return products / lengths[rows].clamp_min(1e-12) + 0.0  # -0 is 0


def best(
    cosine: Float[Tensor, "n m"], rows: Int[Tensor, "n m"], *, k: int
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Return the k largest cosines, largest first, and their rows; of equal ones the earlier row comes first."""
    rows, order = rows.sort(dim=1)
    cosine, chosen = cosine.gather(1, order).sort(dim=1, descending=True, stable=True)
    return cosine[:, :k].contiguous(), rows.gather(1, chosen[:, :k])


def _on_cpu(values: Tensor) -> bool:
    return values.device.type == "cpu"
