"""A turn: what of one section is hidden at once from the methods of a question, and how their answers are marked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from anndata import AnnData

from mclstexp.core.method import Method
from mclstexp.core.section import Section


@dataclass(frozen=True, eq=False)
class Turn(ABC):
    """One fold of a comparison of methods of a question beside images."""

    section: Section
    """The section; what is hidden is still in it."""
    name: str
    """What is hidden in this turn, such as "genes 1"."""
    by: str
    """What is held out, for the headline: "held out by gene"."""

    @property
    @abstractmethod
    def space(self) -> str:
        """Scale of the scores, as the table of scores names it."""

    @property
    @abstractmethod
    def identity(self) -> tuple[Any, ...]:
        """All that scores depend on beside section and method, for the key of a part."""

    @property
    def learnt_from(self) -> list[str]:
        """Names of what a method sees beside the section."""
        return []

    @abstractmethod
    def ask(self, method: Method, *, label: str = "") -> AnnData:
        """Put the question, without anything that is hidden.

        Parameters
        ----------
        method
            The method.
        label
            What it is called in the table, where that says what it is shown.
        """

    @abstractmethod
    def mark(self, said: AnnData) -> pd.DataFrame:
        """Score an answer: a row for each gene ("gene", "" for the whole section), a column for each metric."""

    def references(self) -> Mapping[str, pd.DataFrame]:
        """Return rows that no method can earn, as `mark` does, by label."""
        return {}
