"""Tables of features of several kinds over the same rows, some of which lack a kind as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from mclstexp.core.errors import InputError

FARTHEST: Final = 5.0
"""Standard deviations beyond which a value counts as that far."""


@dataclass(frozen=True, eq=False)
class Modalities:
    """Features of rows (spots, sections, patients), kind by kind."""

    names: tuple[str, ...]
    features: tuple[tuple[str, ...], ...]
    """Names of the features of each kind."""
    values: tuple[Float[np.ndarray, "n _"], ...]
    """(n, n_features) of each kind; rows of NaN where it is absent."""
    present: Bool[np.ndarray, "n n_kinds"]
    """Which kinds each row has."""

    @classmethod
    def of_tables(cls, tables: Mapping[str, pd.DataFrame]) -> Self:
        """Check tables and lay them side by side.

        Parameters
        ----------
        tables
            By name, with one index; a row without a kind is NaN throughout there.

        Raises
        ------
        InputError
            If there is no table, their rows differ, a row lacks some features of a kind or has no kind, or a number is
            infinite.
        """
        frames = {str(name): table for name, table in tables.items()}
        if not frames:
            msg = "a table of features, or several by name, expected, found none: give {'expression': table}"
            raise InputError(msg)
        first = next(iter(frames.values()))
        for name, table in frames.items():
            if not isinstance(table, pd.DataFrame) or not table.index.equals(first.index) or not len(table.columns):
                msg = f"tables (DataFrame) of the same rows in one order expected, found {name!r} of others: align them"
                raise InputError(msg)
        values = tuple(table.to_numpy(np.float64) for table in frames.values())
        lacks = [np.isnan(one) for one in values]
        for name, one, lack in zip(frames, values, lacks, strict=True):
            if np.isinf(one).any() or (lack.any(axis=1) & ~lack.all(axis=1)).any():
                found = "an infinite number" if np.isinf(one).any() else "a row that lacks some"
                msg = f"finite numbers in {name!r}, or none in a whole row, expected, found {found}: fill or drop them"
                raise InputError(msg)
        present = np.stack([~lack.all(axis=1) for lack in lacks], axis=1)
        if not present.any(axis=1).all():
            row = first.index[np.flatnonzero(~present.any(axis=1))[0]]
            msg = f"features of at least one kind for each row expected, found none for {row!r}: leave it out"
            raise InputError(msg)
        features = tuple(tuple(map(str, table.columns)) for table in frames.values())
        return cls(tuple(frames), features, values, present)

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Int[np.ndarray, " _"] | Bool[np.ndarray, " _"]) -> Self:
        """Return some rows."""
        return type(self)(self.names, self.features, tuple(v[rows] for v in self.values), self.present[rows])

    def only(self, kinds: Bool[np.ndarray, " n_kinds"]) -> Self:
        """Return the same rows as if they had no other kinds."""
        values = tuple(np.where(one, v, np.nan) for v, one in zip(self.values, kinds, strict=True))
        return type(self)(self.names, self.features, values, self.present & kinds)


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and spread of each feature over the training rows that have it."""

    mean: tuple[Float[np.ndarray, " _"], ...]
    spread: tuple[Float[np.ndarray, " _"], ...]
    """1 where a feature is constant."""

    @classmethod
    def fit(cls, modalities: Modalities) -> Self:
        """Learn it from training rows."""
        mean, spread = [], []
        for values, here in zip(modalities.values, modalities.present.T, strict=True):
            some = values[here] if here.any() else np.zeros((1, values.shape[1]))
            sd = some.std(axis=0)
            mean.append(some.mean(axis=0))
            spread.append(np.where(sd > 1e-12 * np.abs(some).max(axis=0), sd, 1.0))
        return cls(tuple(mean), tuple(spread))

    def __call__(self, modalities: Modalities) -> list[Float[np.ndarray, "n _"]]:
        """Return z values, at most `FARTHEST` from 0; 0 where a kind is absent."""
        parts = zip(modalities.values, self.mean, self.spread, strict=True)
        return [np.nan_to_num(np.clip((v - mean) / spread, -FARTHEST, FARTHEST)) for v, mean, spread in parts]
