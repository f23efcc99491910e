"""`Clinic`: covariates as columns: numbers, categories, and whether they are known."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from mclstexp.cohort.linear.columns import Columns
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.options import build
from mclstexp.core.wording import shown

GROUP: Final = "clinic"
_MOST_CATEGORIES: Final = 20
OFTEN_MISSING: Final = 0.1
"""Share of the training patients without a covariate from which on its absence has a column; a few say nothing."""


@dataclass(frozen=True)
class Covariate:
    """One of them, as the training patients have it."""

    name: str
    categories: tuple[str, ...] = ()
    """Of text; the first is what the others are compared with. None of a number."""
    often_missing: bool = False
    """Whether not knowing it has a column of its own."""


@dataclass(frozen=True)
class Clinic:
    """The covariates that are known for enough of the training patients."""

    covariates: tuple[Covariate, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, *, min_known: float) -> Self:
        """Learn what there is; says aloud what is known of too few.

        Parameters
        ----------
        frame
            (n_patients, n) covariates.
        min_known
            Share of the patients for whom a covariate must be known.

        Raises
        ------
        InputError
            If nothing is left, or text has more than 20 categories.
        """
        known = frame.notna().mean()
        if rare := [f"{name} ({known[name]:.0%})" for name in frame.columns if known[name] < min_known]:
            text = f"covariates known for fewer than {min_known:.0%} of the training patients are left out"
            warnings.warn(f"{text}: {', '.join(rare)}", stacklevel=2)
        covariates = tuple(_covariate(frame[name]) for name in frame.columns if known[name] >= min_known)
        if not covariates:
            msg = f"a covariate known for {min_known:.0%} of the patients expected, found none: give age or stage"
            raise InputError(msg)
        return cls(covariates)

    def columns(self, frame: pd.DataFrame) -> Columns:
        """Return them as numbers, NaN where one is not known.

        Raises
        ------
        InputError
            If a category is not one of the training patients', or text stands for a number.
        """
        values, names = [], []
        for covariate in self.covariates:
            column, missing = frame[covariate.name], frame[covariate.name].isna().to_numpy()
            if covariate.categories:
                texts = _texts(column, missing, covariate)
                for category in covariate.categories[1:]:
                    values.append(np.where(missing, np.nan, texts == category))
                    names.append(f"{covariate.name}: {category}")
            else:
                values.append(_number(column))
                names.append(covariate.name)
            if covariate.often_missing:
                values.append(missing.astype(np.float64))
                names.append(f"{covariate.name}: not known")
        return Columns.of(np.column_stack(values), names, group=GROUP)

    def state(self) -> State:
        """Return it as a model keeps it."""
        return State({}, {"clinic": [asdict(covariate) for covariate in self.covariates]})

    @classmethod
    def of_state(cls, state: State, *, among: Sequence[str]) -> Self:
        """Take back what `state` returned, of covariates that the model knows."""
        told: list[Mapping[str, Any]] = state.meta["clinic"]
        covariates = tuple(build(Covariate, one, where="a saved model's covariates") for one in told)
        if not {covariate.name for covariate in covariates} <= set(among):
            msg = f"a saved model's covariates among {', '.join(among)} expected, found others: copy the model again"
            raise InputError(msg)
        return cls(covariates)


def _covariate(column: pd.Series) -> Covariate:
    name, missing = str(column.name), bool(column.isna().mean() >= OFTEN_MISSING)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Covariate(name, often_missing=missing)
    categories = tuple(sorted(set(column.dropna().map(str))))
    if len(categories) > _MOST_CATEGORIES:
        msg = (
            f"at most {_MOST_CATEGORIES} categories of {name} expected, found {len(categories)} "
            f"({', '.join(categories[:3])}, …): write it as a number, or leave it out"
        )
        raise InputError(msg)
    return Covariate(name, categories, missing)


def _number(column: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        values = pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        wrong: Hashable = next((v for v in column.dropna() if isinstance(v, str)), column.dropna().iloc[0])
        msg = f"a number for each patient expected as {column.name}, found {shown(wrong)}: correct it or leave it empty"
        raise InputError(msg) from error
    if np.isinf(values).any():
        msg = f"finite numbers expected as {column.name}, found an infinite one: leave it empty where it is not known"
        raise InputError(msg)
    return values


def _texts(column: pd.Series, missing: np.ndarray, covariate: Covariate) -> np.ndarray:
    texts = column.map(str).to_numpy(object)
    texts[missing] = covariate.categories[0]
    unknown = sorted(set(texts) - set(covariate.categories))
    if unknown:
        msg = (
            f"a {covariate.name} that training patients had ({', '.join(covariate.categories)}) expected, found "
            f"{unknown[0]!r}: write it alike, or leave it empty"
        )
        raise InputError(msg)
    return texts
