"""PLINK 1 files (.bed, .bim, .fam): genotypes of a cohort, read in blocks of markers so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.core.errors import InputError

MAGIC: Final = b"\x6c\x1b\x01"
"""First bytes of a .bed that holds marker after marker."""
MOST_TEXT_BYTES: Final = 2**31
"""Of .bim and .fam: 40 million markers; what is larger is refused before it fills the memory."""
BLOCK_BYTES: Final = 2**26
"""Of genotypes, as float32, that are held at once."""
_BIM: Final = ("chromosome", "marker", "morgans", "position", "a1", "a2")
_FAM: Final = ("family", "person", "father", "mother", "sex", "phenotype")

# two bits a call, the lowest first: homozygous A1, missing, heterozygous, homozygous A2
_CALLS: Final = np.array([2, np.nan, 1, 0], np.float32)
_OF_BYTE: Final = _CALLS[(np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3]


@dataclass(frozen=True, eq=False)
class Plink:
    """The genotypes of a cohort in files."""

    bed: Path
    """Where the calls lie."""
    people: pd.DataFrame
    """A row for each person: family, person, father, mother, sex, phenotype, as text."""
    markers: pd.DataFrame
    """A row for each marker: chromosome, marker, morgans, position (base pairs), a1, a2."""

    def read(self, start: int = 0, stop: int | None = None) -> Float[np.ndarray, "n_people n_markers"]:
        """Return how many alleles A1 each person has at some markers: 0, 1, 2, or NaN where there is no call.

        Parameters
        ----------
        start, stop
            From which marker, and before which; to the last by default.

        Raises
        ------
        InputError
            If the file was cut since it was opened.
        """
        stop = len(self.markers) if stop is None else min(stop, len(self.markers))
        width, n = -(-len(self.people) // 4), max(0, stop - start)
        try:
            with self.bed.open("rb") as file:
                file.seek(len(MAGIC) + start * width)
                raw = file.read(n * width)
        except OSError as error:
            msg = f"genotypes at {self.bed} expected, found what cannot be read ({error.strerror}): check the file"
            raise InputError(msg) from error
        if len(raw) != n * width:
            msg = f"{n * width} bytes of genotypes expected in {self.bed}, found {len(raw)}: copy the file again"
            raise InputError(msg)
        calls = _OF_BYTE[np.frombuffer(raw, np.uint8).reshape(n, width)]
        return calls.reshape(n, 4 * width)[:, : len(self.people)].T.copy()

    def blocks(self) -> Iterator[tuple[slice, Float[np.ndarray, "n_people n_markers"]]]:
        """Yield markers block by block, with their places among all."""
        size = max(1, BLOCK_BYTES // (4 * max(1, len(self.people))))
        for start in range(0, len(self.markers), size):
            block = slice(start, min(start + size, len(self.markers)))
            yield block, self.read(block.start, block.stop)


def open_plink(path: Path | str) -> Plink:
    """Open three PLINK files by the name they share.

    Parameters
    ----------
    path
        With or without .bed.

    Raises
    ------
    InputError
        If one is missing, too large or malformed, a person occurs twice, the .bed is of another kind (person after
        person, or no .bed), or its size does not follow from people and markers.
    """
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".bed", ".bim", ".fam") else path
    bed, bim, fam = (stem.with_name(f"{stem.name}.{kind}") for kind in ("bed", "bim", "fam"))
    people, markers = _table(fam, _FAM), _table(bim, _BIM)
    markers["position"] = _whole(markers["position"], bim)
    twice = people.duplicated(["family", "person"])
    if twice.any():
        who = " ".join(people.loc[twice, ["family", "person"]].to_numpy()[0])
        msg = f"each person once expected in {fam}, found {who} twice: keep one row"
        raise InputError(msg)
    expected = len(MAGIC) + len(markers) * -(-len(people) // 4)
    try:
        size = bed.stat().st_size
        with bed.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        msg = f"genotypes at {bed} expected, found none that can be read ({error.strerror}): give the three files"
        raise InputError(msg) from error
    if start != MAGIC:
        what = "genotypes person after person" if start == MAGIC[:2] + b"\x00" else "other bytes at its start"
        msg = f"genotypes marker after marker (6c 1b 01) expected in {bed}, found {what}: write it by plink --make-bed"
        raise InputError(msg)
    if size != expected:
        found = f"{len(people)} people and {len(markers)} markers"
        msg = f"{expected} bytes expected in {bed} for {found}, found {size}: the three files must belong together"
        raise InputError(msg)
    return Plink(bed, people, markers)


def _table(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    if path.is_file() and (size := path.stat().st_size) > MOST_TEXT_BYTES:
        msg = f"at most {MOST_TEXT_BYTES} bytes expected in {path}, found {size}: split the data by chromosome"
        raise InputError(msg)
    if not path.is_file():
        msg = f"rows of {len(names)} words expected at {path}, found no such file: give the name that three files share"
        raise InputError(msg)
    try:
        found = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, keep_default_na=False, quoting=3)
    except (OSError, ValueError) as error:  # pandas' own errors of parsing and decoding are values'
        msg = f"rows of {len(names)} words expected in {path}, found what cannot be read as such: check the file"
        raise InputError(msg) from error
    if found.shape[1] != len(names) or not found.notna().all(axis=None):
        msg = f"rows of {len(names)} words expected in {path}, found {found.shape[1]}: check the file"
        raise InputError(msg)
    return found.set_axis(list(names), axis=1)


def _whole(column: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any() or (numbers % 1 != 0).any() or (numbers.abs() > 2**53).any():
        msg = f"positions in base pairs expected in the fourth column of {path}, found other words: check the file"
        raise InputError(msg)
    return numbers.astype(np.int64)
