"""DNA sequences with labels: read, encoded, turned to the other strand, and freed of what training has seen."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Int

from mclstexp.core.errors import InputError

LETTERS: Final = "ACGTN"
"""Bases by number; N is unknown, and what a shorter sequence is filled up with."""
UNKNOWN: Final = 4
MOST_BYTES: Final = 2**30
"""Of text, unpacked: what is larger is refused before it fills the memory."""
_OTHER_STRAND: Final = np.array([3, 2, 1, 0, 4])
_COMPLEMENT: Final = str.maketrans("ACGTN", "TGCAN")

Bases = Int[np.ndarray, "n length"]


@dataclass(frozen=True, eq=False)
class LabelledDNA:
    """Sequences and the class of each."""

    sequences: tuple[str, ...]
    """In capital letters."""
    labels: Int[np.ndarray, " n"]
    """Class of each, from 0."""

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: Sequence[int] | Int[np.ndarray, " m"]) -> LabelledDNA:
        """Return some of them."""
        return LabelledDNA(tuple(self.sequences[row] for row in rows), self.labels[np.asarray(rows, np.intp)])


def read_labelled(path: Path | str) -> dict[str, LabelledDNA]:
    """Read sequences with labels.

    Parameters
    ----------
    path
        Tab-separated text (.tsv, also .tsv.gz) with columns ``sequence`` and ``label`` (whole numbers from 0) and, if
        parts are told apart, ``split``.

    Returns
    -------
    By name of the part, as "train" and "test"; all under "all" where there is no such column.

    Raises
    ------
    InputError
        If the file cannot be read, is larger than `MOST_BYTES`, lacks a column, or a row is no sequence with a label.
    """
    path = Path(path)
    lines = _text(path).splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t"))
    if not rows or not {"sequence", "label"} <= set(rows[0]):
        msg = f"rows with columns sequence and label expected in {path}, found none: name them in the first line"
        raise InputError(msg)
    parts: dict[str, list[tuple[str, int]]] = {}
    for number, row in enumerate(rows, 2):
        sequence, label = (row["sequence"] or "").strip().upper(), (row["label"] or "").strip()
        if not sequence or set(sequence) - set(LETTERS) or not (label.isascii() and label.isdigit()):
            where = f"line {number} of {path}"
            msg = f"letters of {LETTERS} and a class from 0 expected in {where}, found another row: mend it"
            raise InputError(msg)
        parts.setdefault(row.get("split") or "all", []).append((sequence, int(label)))
    return {
        name: LabelledDNA(tuple(s for s, _ in found), np.array([label for _, label in found]))
        for name, found in parts.items()
    }


def _text(path: Path) -> str:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) <= MOST_BYTES:
            return content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        msg = f"text at {path} expected, found what cannot be read ({error}): check the file"
        raise InputError(msg) from error
    msg = f"at most {MOST_BYTES / 2**30:.0f} GiB of text expected in {path}, found more: split it"
    raise InputError(msg)


def encode(sequences: Sequence[str], *, length: int | None = None) -> Bases:
    """Return bases by number, filled up with N.

    Parameters
    ----------
    sequences
        In letters of `LETTERS`.
    length
        Of a row: what is longer is cut; by default the longest sequence's.
    """
    length = max(map(len, sequences), default=0) if length is None else length
    numbers = np.full(256, UNKNOWN, np.int64)
    numbers[[ord(letter) for letter in LETTERS]] = np.arange(len(LETTERS))
    rows = np.full((len(sequences), length), UNKNOWN, np.int64)
    for row, sequence in zip(rows, sequences, strict=True):
        found = numbers[np.frombuffer(sequence[:length].encode(), np.uint8)]
        row[: len(found)] = found
    return rows


def other_strand(bases: Bases) -> Bases:
    """Return the reverse complement of each row, what is unknown at its end staying there."""
    turned = _OTHER_STRAND[bases[:, ::-1]]
    start = (turned != UNKNOWN).argmax(axis=1)
    places = np.arange(bases.shape[1]) + start[:, None]
    inside = places < bases.shape[1]
    return np.where(inside, np.take_along_axis(turned, np.where(inside, places, 0), axis=1), UNKNOWN)


def without_seen(test: LabelledDNA, train: LabelledDNA) -> tuple[LabelledDNA, int]:
    """Return the test sequences that training does not hold, on either strand, and how many were dropped."""
    seen = {strand for sequence in train.sequences for strand in (sequence, reverse_complement(sequence))}
    kept = [row for row, sequence in enumerate(test.sequences) if sequence not in seen]
    return test.take(kept), len(test) - len(kept)


def reverse_complement(sequence: str) -> str:
    """Return the other strand, read in its own direction."""
    return sequence.translate(_COMPLEMENT)[::-1]
