"""Numbers per gene, computed for some genes at a time: what is made in between stays small on large sections."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 2**22
"""Values (spots times genes) that are worked on at once: 32 MiB in double precision, in each of a few arrays."""

P = ParamSpec("P")


def genes_in_blocks(of_genes: Callable[P, NDArray[Any]]) -> Callable[P, NDArray[Any]]:
    """Call a function of (n_spots, n_genes) arrays for some columns at a time, and join what it says of each gene.

    Every argument of the first one's shape is cut; all others are handed on as they are. A gene's number must not
    depend on other genes.
    """

    @wraps(of_genes)
    def in_blocks(*args: P.args, **kwargs: P.kwargs) -> NDArray[Any]:
        first: Any = next(iter((*args, *kwargs.values())))
        shape = np.shape(first)
        slices = blocks(shape[1], shape[0], most=BLOCK)
        if len(slices) <= 1:
            return of_genes(*args, **kwargs)

        def cut(value: Any, some: slice) -> Any:
            return value[:, some] if isinstance(value, np.ndarray) and value.shape == shape else value

        parts = []
        for some in slices:
            named = {name: cut(value, some) for name, value in kwargs.items()}
            parts.append(of_genes(*(cut(value, some) for value in args), **named))
        return np.concatenate(parts)

    return in_blocks


def blocks(n: int, width: int, *, most: int = BLOCK) -> list[slice]:
    """Return slices over `n` rows or columns of `width` values each, at most `most` values a slice."""
    size = max(1, most // max(1, width))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
