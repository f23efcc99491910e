"""`Origin`: which model predicted a table of expression, from whom it learnt, and which genes were trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mclstexp.core.section import UNKNOWN
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading

Trusted = Literal["predictable", "doubtful", "all"]
"""Genes that count: those called predictable, the doubtful ones too, or all whatever was found of them."""
_ENTRY: Final = b"mclstexp_expression"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Origin:
    """What a table of predicted expression was made with; it travels in the table's file."""

    model: str
    """Key of the model: equal for predictions of one."""
    method: str
    """Its method."""
    scale: str
    """The predictions' scale, in words."""
    patients: tuple[str, ...]
    """From whom the model learnt."""
    sections: tuple[str, ...]
    """Names of the sections that it learnt from."""
    trusted: Trusted
    """Which genes count."""
    n_genes: int
    """How many do."""
    n_predicted: int
    """Of how many."""

    def seen(self, slides: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """Name the patients from whom the model learnt: by their own name, or that of a slide.

        Parameters
        ----------
        slides
            Names of each patient's slides.
        """
        people = {person(name) for name in self.patients if name != UNKNOWN}
        return tuple(
            name for name, of in slides.items() if person(name) in people or not set(self.sections).isdisjoint(of)
        )

    @property
    def is_known(self) -> bool:
        """Whether it is known from whom the model learnt."""
        return bool(self.patients) and UNKNOWN not in self.patients

    def __str__(self) -> str:
        """Say it in a line."""
        which = {"predictable": "called predictable", "doubtful": "not called unpredictable"}.get(self.trusted)
        genes = f"{self.n_genes} of {self.n_predicted} genes, those {which}" if which else f"all {self.n_genes} genes"
        tested = "" if which else ", whatever an evaluation says of them"
        return f"predicted from the slides by {self.method} ({genes}{tested})"

    @classmethod
    def of_record(cls, said: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` made plain."""
        listed = {name: tuple(map(str, said[name])) for name in ("patients", "sections")}
        return cls(**{**said, **listed})


def person(name: str) -> str:
    """Return a patient's name as it is compared: capitals do not count, nor does which sample of a TCGA patient."""
    return name[:12].casefold() if name.upper().startswith("TCGA-") else name.casefold()


def write_table(rows: pd.DataFrame, path: Path, *, origin: Origin, about: Mapping[str, Any]) -> None:
    """Write a table of predicted expression, or of scores made of it, with its origin; whole or not at all.

    Parameters
    ----------
    rows
        A column of names, then numbers.
    path
        The file (.parquet).
    origin
        What it was made with.
    about
        What else is said of it, as plain JSON.
    """
    table = pa.Table.from_pandas(rows, preserve_index=False)
    said = json.dumps({"format": _FORMAT, "origin": asdict(origin), **about}, ensure_ascii=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _ENTRY: said.encode()})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def read_about(path: Path | str) -> dict[str, Any] | None:
    """Return what `write_table` said of a table beside its numbers; None of any other table.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() != ".parquet":
        return None
    with reading(path, "a table of expression (.parquet)"):
        said = (pq.read_schema(path).metadata or {}).get(_ENTRY)
        return None if said is None else json.loads(said)


def read_origin(path: Path | str) -> Origin | None:
    """Return the origin of a table of predicted expression; None of any other table.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    about = read_about(path)
    with reading(path, "a table of expression (.parquet)"):
        return None if about is None else Origin.of_record(about["origin"])
