"""`Prototypes`: kinds of tiles that training patients have in common, by k-means on tiles drawn alike from each."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from mclstexp.cohort.bag_identity import known_by
from mclstexp.cohort.each_bag import each_bag
from mclstexp.cohort.kept import computed_once
from mclstexp.cohort.mixture import FLOOR, Prior
from mclstexp.core.bag import CHUNK, Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.progress import step
from mclstexp.core.stored import stored_arrays

LEAST_TILES: Final = 50
"""Tiles that there must be for each prototype."""
RARE: Final = 0.001
"""The share of the tiles below which a prototype is said to be rare."""
_NOT_FINITE: Final = "finite features of tiles expected, found others: embed the slides again"
N_SHOWN: Final = 16
"""Tiles that show what a prototype looks like, at most."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Kinds of tiles, the most frequent first."""

    centres: Float[np.ndarray, "k dim"]
    """Their means, of scaled features."""
    offset: Float[np.ndarray, " dim"]
    """What is taken off features,"""
    scale: Float[np.ndarray, " dim"]
    """and what they are then divided by."""
    within: Float[np.ndarray, " dim"]
    """Variance of scaled features around the nearest centre."""
    frequency: Float[np.ndarray, " k"]
    """Share of the tiles that were drawn."""
    shown: pd.DataFrame
    """Tiles nearest to each centre, one a patient: prototype, patient, tile (its number)."""

    @classmethod
    def fit(cls, patients: Patients, n: int, *, standardise: bool, max_tiles: int, seed: int) -> Self:
        """Learn them; which tiles are drawn depends on the patient's name, not on its place.

        Parameters
        ----------
        patients
            Training patients, with tiles.
        n
            How many prototypes.
        standardise
            Whether each feature is first brought to mean 0 and standard deviation 1 over the tiles drawn.
        max_tiles
            How many tiles are drawn, as many of each patient.
        seed
            Start of the random numbers.

        Raises
        ------
        InputError
            If there are fewer than 50 tiles for each.
        """

        def about() -> list[Any]:
            seen = sorted(zip(patients.ids, map(known_by, patients.bags or ()), strict=True))
            return [seen, n, standardise, max_tiles, seed]

        def make() -> State:
            return cls._learnt(patients, n, standardise=standardise, max_tiles=max_tiles, seed=seed).state()

        found = cls.of_state(computed_once("prototypes", about, make), dim=patients.dim)
        if n_rare := int((found.frequency < RARE).sum()):
            warnings.warn(
                f"{n_rare} of {n} prototypes have less than {RARE:.1%} of the tiles: ask for fewer", stacklevel=3
            )
        return found

    @classmethod
    def _learnt(cls, patients: Patients, n: int, *, standardise: bool, max_tiles: int, seed: int) -> Self:
        tiles, names, numbers = _draw(patients, max_tiles, seed)
        if n < 2 or len(tiles) < LEAST_TILES * n:
            msg = (
                f"two or more prototypes of at least {LEAST_TILES} tiles each expected, found {n} for {len(tiles)} "
                "tiles: ask for others, or add patients"
            )
            raise InputError(msg)
        offset, scale = np.zeros(tiles.shape[1]), np.ones(tiles.shape[1])
        if standardise:
            offset = tiles.mean(axis=0, dtype=np.float64)
            tiles -= offset.astype(np.float32)
            spread = np.sqrt(_mean_squares(tiles))
            scale = np.where(spread > 0, spread, 1)
            tiles /= scale.astype(np.float32)
        step(f"{n} prototypes of {len(tiles)} tiles")
        # in place: there may be half a gigabyte of them
        model = KMeans(n, init="k-means++", n_init=3, max_iter=50, random_state=seed, copy_x=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different tiles than prototypes: said below
            group = model.fit_predict(tiles)
        order = np.argsort(-np.bincount(group, minlength=n), kind="stable")
        group = np.argsort(order)[group]
        centres = model.cluster_centers_[order].astype(np.float64)
        frequency = np.bincount(group, minlength=n) / len(tiles)
        away, within = _around(tiles, centres, group)
        return cls(centres, offset, scale, within, frequency, _shown(group, away, names, numbers))

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [f"prototype {number + 1}" for number in range(len(self.centres))]

    def chunks(self, bag: Bag) -> Iterator[Float[np.ndarray, "_ dim"]]:
        """Yield a patient's scaled features.

        Raises
        ------
        InputError
            If one is not finite.
        """
        for chunk in _finite(bag):
            yield (chunk - self.offset) / self.scale

    def shares(self, bag: Bag, prior: Prior) -> Float[np.ndarray, " k"]:
        """Return `prior.shares` of a patient's tiles, not one of which is scaled for it: the prior is, the other way.

        Raises
        ------
        InputError
            If a feature is not finite.
        """
        unscaled = Prior(prior.means * self.scale + self.offset, prior.variance * self.scale**2, prior.pseudo_count)
        return unscaled.shares(_finite(bag))

    def shares_of(self, patients: Patients, prior: Prior) -> Float[np.ndarray, "n_patients k"]:
        """Return the shares of each patient, NaN of those without tiles; models of one evaluation share them.

        Raises
        ------
        InputError
            If a feature is not finite.
        """

        def make() -> State:
            shares = np.full((len(patients), len(self.centres)), np.nan)
            row = {name: number for number, name in enumerate(patients.ids)}
            for name, bag in each_bag(patients, "shares of prototypes"):
                if bag.n_tiles:
                    shares[row[name]] = self.shares(bag, prior)
            return State({"shares": shares}, {})

        return computed_once("shares", lambda: self.known_by(patients, prior), make).arrays["shares"]

    def known_by(self, patients: Patients, prior: Prior) -> list[Any]:
        """Return all that shares or tokens of patients depend on, as `identity.of` takes it."""
        return [prior, self.offset, self.scale, list(patients.ids), [known_by(bag) for bag in patients.bags or ()]]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return what a model shows of them.

        "prototypes": name and "frequency" of each; "tiles": "prototype", "patient" and number of a "tile" that it looks
        like; "centres": a row for each prototype, a column for each feature of tiles as they are given.
        """
        tiles = self.shown.copy()
        tiles["prototype"] = [self.names[number] for number in tiles["prototype"]]
        return {
            "prototypes": pd.DataFrame({"prototype": self.names, "frequency": self.frequency}),
            "tiles": tiles,
            "centres": pd.DataFrame(self.centres * self.scale + self.offset, index=self.names),
        }

    def tile_table(self, likely: Float[np.ndarray, "n k"], *, risk: Float[np.ndarray, " n"]) -> pd.DataFrame:
        """Return a row for each tile as `OutcomeModel.explain_tiles` has it: "risk", "prototype", a column of each."""
        kind = np.array(self.names, object)[likely.argmax(axis=1)]
        return pd.DataFrame({"risk": risk, "prototype": kind, **dict(zip(self.names, likely.T, strict=True))})

    def state(self) -> State:
        """Return them as a model keeps them."""
        parts = ("centres", "offset", "scale", "within", "frequency")
        shown = {name: column.tolist() for name, column in self.shown.items()}
        return State({f"prototypes.{part}": getattr(self, part) for part in parts}, {"shown": shown})

    @classmethod
    def of_state(cls, state: State, *, dim: int) -> Self:
        """Take back what `state` returned."""
        axes = {"centres": "k dim", "offset": "dim", "scale": "dim", "within": "dim", "frequency": "k"}
        layout = {f"prototypes.{part}": of for part, of in axes.items()}
        centres, offset, scale, within, frequency = stored_arrays(state, layout, dim=dim)
        shown = pd.DataFrame(state.meta["shown"]).loc[:, ["prototype", "patient", "tile"]]
        if not shown["prototype"].isin(range(len(centres))).all() or not (scale > 0).all() or not (within >= 0).all():
            msg = f"tiles of {len(centres)} prototypes and positive scales expected, found others: copy the model again"
            raise InputError(msg)
        return cls(centres, offset, scale, within, frequency, shown)

    def prior(self, pseudo_count: float, epsilon: float | Literal["within"]) -> Prior:
        """Return what is expected of a slide; `epsilon` is the variance around each prototype."""
        variance = np.maximum(self.within, FLOOR) if epsilon == "within" else np.full(len(self.scale), float(epsilon))
        return Prior(self.centres, variance, pseudo_count)


def _draw(
    patients: Patients, max_tiles: int, seed: int
) -> tuple[Float[np.ndarray, "n dim"], np.ndarray, Int[np.ndarray, " n"]]:
    """Draw as many tiles of each patient, those with fewer giving all; sorted by patient's name."""
    patients = patients.subset(sorted(patients.ids))
    bags = [bag for bag in patients.bags or () if bag is not None]
    quota = -(-max_tiles // max(len(bags), 1))
    tiles = np.empty((sum(min(quota, bag.n_tiles) for bag in bags), patients.dim), np.float32)
    names, numbers = np.empty(len(tiles), object), np.empty(len(tiles), np.intp)
    start = 0
    for name, bag in each_bag(patients, "tiles for prototypes"):
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        wanted = np.sort(rng.choice(bag.n_tiles, min(quota, bag.n_tiles), replace=False))
        here = slice(start, start + len(wanted))
        names[here], numbers[here], tiles[here] = name, wanted, bag.take(wanted)
        start = here.stop
    if not np.isfinite(tiles.sum(dtype=np.float64)):  # a sum, which makes no table of its own
        raise InputError(_NOT_FINITE)
    return tiles, names, numbers


def _finite(bag: Bag) -> Iterator[Float[np.ndarray, "_ dim"]]:
    for chunk in bag.chunks():
        if not np.isfinite(chunk.sum(dtype=np.float64)):
            raise InputError(_NOT_FINITE)
        yield chunk


def _mean_squares(tiles: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " dim"]:
    total = np.zeros(tiles.shape[1])
    for start in range(0, len(tiles), CHUNK):
        total += (tiles[start : start + CHUNK].astype(np.float64) ** 2).sum(axis=0)
    return total / len(tiles)


def _around(
    tiles: Float[np.ndarray, "n dim"], centres: Float[np.ndarray, "k dim"], group: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " dim"]]:
    """Return each tile's squared distance to its centre, and the variance around centres, one group at a time."""
    away, squares = np.empty(len(tiles)), np.zeros(tiles.shape[1])
    for number, centre in enumerate(centres):
        off = (tiles[group == number].astype(np.float64) - centre) ** 2
        away[group == number] = off.sum(axis=1)
        squares += off.sum(axis=0)
    return away, squares / len(tiles)


def _shown(
    group: Int[np.ndarray, " n"], away: Float[np.ndarray, " n"], names: np.ndarray, numbers: Int[np.ndarray, " n"]
) -> pd.DataFrame:
    frame = pd.DataFrame({"prototype": group, "patient": names, "tile": numbers, "away": away})
    frame = frame.sort_values(["prototype", "away", "patient"]).drop_duplicates(["prototype", "patient"])
    return frame.groupby("prototype").head(N_SHOWN).drop(columns="away").reset_index(drop=True)
