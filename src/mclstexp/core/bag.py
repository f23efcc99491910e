"""`Bag`: the tiles of one patient as frozen features, which are streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from mclstexp.core.errors import InputError

CHUNK: Final = 4096
"""Tiles that are looked at at once."""


class Bag(ABC):
    """The tiles of one patient, of all slides together, as frozen features; never all of them in memory.

    A tile is known by its number: `chunks` goes through them in one order, each time.
    """

    n_tiles: int
    """How many."""
    dim: int
    """Length of a tile's features."""
    made: Mapping[str, str] = MappingProxyType({})
    """How the features were made, as far as their files say: "encoder", "mpp", "size_px"."""
    coarser: tuple[Bag, ...] = ()
    """The same tissue in wider tiles, the widest first; none where it is seen at one scale."""

    @abstractmethod
    def chunks(self) -> Iterator[Float[np.ndarray, "n dim"]]:
        """Yield float32 features of all tiles, some at a time, in order."""

    def take(self, numbers: Sequence[int] | np.ndarray) -> Float[np.ndarray, "n dim"]:
        """Return the features of some tiles, in the order asked; those that hold files may be quicker at it."""
        numbers = np.asarray(numbers, np.intp)
        found, start = np.empty((len(numbers), self.dim), np.float32), 0
        for chunk in self.chunks():
            here = (numbers >= start) & (numbers < start + len(chunk))
            found[here] = chunk[numbers[here] - start]
            start += len(chunk)
        return found


@final
class ArrayBag(Bag):
    """Features that lie in memory.

    Raises
    ------
    InputError
        If they are no finite table with a row for each of one or more tiles.
    """

    def __init__(self, features: ArrayLike, *, coarser: Sequence[Bag] = ()) -> None:
        features = np.asarray(features, np.float32)
        if features.ndim != 2 or not features.size or not np.isfinite(features).all():
            msg = f"finite features of one or more tiles (n_tiles, dim) expected, found shape {features.shape}"
            raise InputError(msg)
        self._features = features
        self.n_tiles, self.dim = features.shape
        self.coarser = tuple(coarser)

    def chunks(self) -> Iterator[Float[np.ndarray, "n dim"]]:
        """See `Bag.chunks`."""
        for start in range(0, self.n_tiles, CHUNK):
            yield self._features[start : start + CHUNK]

    def take(self, numbers: Sequence[int] | np.ndarray) -> Float[np.ndarray, "n dim"]:
        """See `Bag.take`."""
        return self._features[np.asarray(numbers, np.intp)]


def made_alike(found: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """Return how features were made, of what several sources say.

    Parameters
    ----------
    found
        What each source is called, and what it says; one that says nothing of a part agrees with any.

    Raises
    ------
    InputError
        If two differ: features of two encoders or scales mean different things, though they be of one width.
    """
    said: dict[str, tuple[str, str]] = {}
    for name, made in found:
        for part, value in made.items():
            other, known = said.setdefault(part, (name, value))
            if known != value:
                msg = (
                    f"tile features made alike expected, found {part} {known} of {other} and {value} of {name}: embed "
                    "all slides alike"
                )
                raise InputError(msg)
    return {part: value for part, (_, value) in said.items()}
