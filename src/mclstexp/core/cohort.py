"""`Patients`, what a model of patients sees, and `Outcomes`, what became of them: two things, kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from mclstexp.core.bag import ArrayBag, Bag, made_alike
from mclstexp.core.errors import InputError
from mclstexp.core.names import require_names

__all__ = ["ArrayBag", "Bag", "Kind", "Outcomes", "Part", "Patients"]

Kind = Literal["survival", "binary", "continuous"]
Part = Literal["covariates", "bags", "pathways", "genes"]


@dataclass(frozen=True, eq=False)
class Patients:
    """All that a model sees of patients, row by row in one order; what became of them is no part of it.

    Raises
    ------
    InputError
        If an id repeats, a part has other patients or another order, or tiles differ in width.
    """

    ids: tuple[str, ...]
    """Their names."""
    sites: tuple[str, ...] | None = None
    """Where each was treated; None where nobody said."""
    covariates: pd.DataFrame = field(default_factory=pd.DataFrame)
    """(n_patients, n) what the clinic knows: numbers, or text for categories; missing values are."""
    bags: tuple[Bag | None, ...] | None = None
    """The tiles of each; None for a patient without a slide."""
    pathways: pd.DataFrame | None = None
    """(n_patients, n_pathways) a score for each, by name; a patient without expression has a row of NaN."""
    genes: pd.DataFrame | None = None
    """(n_patients, n_genes) expression, by name; a patient without has a row of NaN."""
    gene_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Genes of each pathway, for models of genes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", _names(self.ids, "patients"))
        if not self.ids:
            msg = "at least one patient expected, found none"
            raise InputError(msg)
        if self.sites is not None:
            object.__setattr__(self, "sites", tuple(map(str, self.sites)))
            self._require_rows(len(self.sites or ()), "sites")
        if not self.covariates.shape[1]:
            object.__setattr__(self, "covariates", pd.DataFrame(index=pd.Index(self.ids, dtype=object)))
        for part in ("covariates", "pathways", "genes"):
            if (frame := getattr(self, part)) is not None:
                object.__setattr__(self, part, self._checked(frame, part))
        sets = {str(name): tuple(map(str, genes)) for name, genes in self.gene_sets.items()}
        object.__setattr__(self, "gene_sets", MappingProxyType(sets))
        if self.bags is not None:
            object.__setattr__(self, "bags", tuple(self.bags))
            self._require_rows(len(self.bags or ()), "bags of tiles")
            if len(widths := sorted({bag.dim for bag in self.bags or () if bag is not None})) > 1:
                msg = f"tiles of one encoder expected, found features of width {widths}: embed all slides alike"
                raise InputError(msg)
            _ = self.made  # refuses those that were made differently

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        """Length of a tile's features; 0 where there are no tiles."""
        return next((bag.dim for bag in self.bags or () if bag is not None), 0)

    @property
    def made(self) -> list[dict[str, str]]:
        """How tile features were made, as far as it is known: of the widest scale first, of the tiles themselves last.

        Raises
        ------
        InputError
            If those of two patients were made differently.
        """
        scales: dict[int, list[tuple[str, Mapping[str, str]]]] = {}
        for name, bag in zip(self.ids, self.bags or (), strict=False):
            for number, one in enumerate(() if bag is None else (*bag.coarser, bag)):
                scales.setdefault(number, []).append((name, one.made))
        return [made_alike(scales[number]) for number in sorted(scales)]

    def subset(self, ids: Sequence[str]) -> Self:
        """Return the patients of these names, in that order.

        Raises
        ------
        InputError
            If one is not among them.
        """
        rows = _rows(self.ids, ids)

        def some(part: Any) -> Any:
            if part is None or isinstance(part, tuple):
                return None if part is None else tuple(part[row] for row in rows)
            return part.iloc[rows]

        parts = ("sites", "covariates", "bags", "pathways", "genes")
        return replace(self, ids=tuple(ids), **{part: some(getattr(self, part)) for part in parts})

    def without(self, part: Part) -> list[str]:
        """Name the patients that lack a part altogether; single values that are missing are another thing."""
        found = getattr(self, part)
        if found is None or (part == "covariates" and not found.shape[1]):
            return list(self.ids)
        if part == "bags":
            return [name for name, bag in zip(self.ids, found, strict=True) if bag is None or not bag.n_tiles]
        if part == "covariates":
            return []
        return [name for name, lacks in zip(self.ids, found.isna().all(axis=1), strict=True) if lacks]

    def _checked(self, frame: pd.DataFrame, part: str) -> pd.DataFrame:
        if list(map(str, frame.index)) != list(self.ids):
            msg = f"{part}: a row for each of the {len(self.ids)} patients, in their order, expected, found others"
            raise InputError(msg)
        _names(frame.columns, part)
        frame = frame.set_axis(pd.Index(self.ids, dtype=object)).rename(columns=str)
        if part != "covariates":
            values = frame.to_numpy(np.float64)
            if np.isinf(values).any():
                msg = f"{part}: finite numbers expected, found an infinite one: leave it empty where it is not known"
                raise InputError(msg)
            frame = pd.DataFrame(values, index=frame.index, columns=frame.columns)
        return frame

    def _require_rows(self, n_found: int, what: str) -> None:
        if n_found != len(self.ids):
            msg = f"{what} of {len(self.ids)} patients expected, found {n_found}"
            raise InputError(msg)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of patients: a time and whether the event came, yes or no, or a number.

    Made by `survival`, `binary` and `continuous`.
    """

    kind: Kind
    """Which of the three."""
    ids: tuple[str, ...]
    """Whose."""
    time: Float[np.ndarray, " n_patients"] | None = None
    """Months to the event, or to when the patient was last seen."""
    event: Bool[np.ndarray, " n_patients"] | None = None
    """Whether it came."""
    value: Float[np.ndarray, " n_patients"] | None = None
    """Of other kinds: 0 and 1, or numbers."""

    kinds: ClassVar[tuple[Kind, ...]] = ("survival", "binary", "continuous")

    @classmethod
    def survival(cls, ids: Sequence[str], *, time: ArrayLike, event: ArrayLike) -> Self:
        """Return times (months) and events.

        Raises
        ------
        InputError
            If a time is not above 0, or an event is neither 0 nor 1; names the patient.
        """
        names = _names(ids, "outcomes")
        times, events = _numbers(names, time, "times"), _numbers(names, event, "events")
        _require(names, times, times > 0, "a time above 0")
        _require(names, events, np.isin(events, (0, 1)), "an event of 0 or 1")
        return cls("survival", names, time=times, event=events.astype(bool))

    @classmethod
    def binary(cls, ids: Sequence[str], value: ArrayLike) -> Self:
        """Return yes (1) or no (0).

        Raises
        ------
        InputError
            If a value is neither; names the patient.
        """
        names = _names(ids, "outcomes")
        values = _numbers(names, value, "values")
        _require(names, values, np.isin(values, (0, 1)), "an outcome of 0 or 1")
        return cls("binary", names, value=values)

    @classmethod
    def continuous(cls, ids: Sequence[str], value: ArrayLike) -> Self:
        """Return numbers.

        Raises
        ------
        InputError
            If one is not finite; names the patient.
        """
        names = _names(ids, "outcomes")
        return cls("continuous", names, value=_numbers(names, value, "values"))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_events(self) -> int:
        """How many events, or patients of the rarer answer; all of them where it is a number."""
        if self.event is not None:
            return int(self.event.sum())
        if self.kind == "binary" and self.value is not None:
            return int(min(self.value.sum(), len(self) - self.value.sum()))
        return len(self)

    def subset(self, ids: Sequence[str]) -> Self:
        """Return those of the patients of these names, in that order.

        Raises
        ------
        InputError
            If one is not among them.
        """
        rows = _rows(self.ids, ids)
        time, event, value = (None if part is None else part[rows] for part in (self.time, self.event, self.value))
        return replace(self, ids=tuple(ids), time=time, event=event, value=value)


def _names(names: Sequence[str] | pd.Index, what: str) -> tuple[str, ...]:
    found = tuple(map(str, names))
    require_names(found, of=what)
    if len(set(found)) != len(found):
        twice = next(name for name in found if found.count(name) > 1)
        msg = f"{what}: each name once expected, found {twice!r} twice: rename or drop one"
        raise InputError(msg)
    return found


def _rows(known: tuple[str, ...], wanted: Sequence[str]) -> list[int]:
    place = {name: row for row, name in enumerate(known)}
    for name in wanted:
        if name not in place:
            msg = f"a patient among the {len(known)} known ones expected, found {name!r}"
            raise InputError(msg)
    return [place[name] for name in wanted]


def _numbers(ids: tuple[str, ...], values: ArrayLike, what: str) -> Float[np.ndarray, " n_patients"]:
    found = np.asarray(values, np.float64)
    if found.shape != (len(ids),):
        msg = f"{what} of {len(ids)} patients expected, found shape {found.shape}"
        raise InputError(msg)
    _require(ids, found, np.isfinite(found), "a finite number")
    return found


def _require(ids: tuple[str, ...], values: np.ndarray, good: np.ndarray, what: str) -> None:
    if not good.all():
        at = int(np.flatnonzero(~good)[0])
        msg = f"{what} expected for each patient, found {values[at]:g} for {ids[at]!r}: correct it, or leave them out"
        raise InputError(msg)
