"""A measured section: tiles and the counts found under them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Final, Self

import numpy as np
from anndata import AnnData
from numpy.typing import ArrayLike
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.display import html_of, plural, size
from mclstexp.core.errors import InputError
from mclstexp.core.names import require_names
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.core.wording import shown

UNKNOWN: Final = "unknown"
"""What is written where a patient's name would stand and nobody said it."""


@dataclass(frozen=True, eq=False, repr=False)
class Section:
    """Tissue whose expression was measured: row *i* of `counts` lies under tile *i*.

    Raises
    ------
    InputError
        If spots and tiles differ, a gene occurs twice, a name holds NUL, or counts are negative, fractional or not
        finite.
    """

    id: str
    """Name of the section, unique within a study."""
    patient: str | None
    """Whom it comes from, the unit of independence: sections of one patient never stand on both sides of a fold.
    None where nobody said: an unknown patient is no patient of its own."""
    tiles: Tiles
    """Where each spot lies on the slide."""
    counts: AnnData
    """Raw integer counts, sparse CSR (n_spots, n_genes); `obs_names` are the tiles' ids."""

    def __post_init__(self) -> None:
        if self.patient is not None:
            object.__setattr__(self, "patient", str(self.patient).strip() or None)
        counts = self.counts
        if counts.n_obs != len(self.tiles) or not np.array_equal(np.asarray(counts.obs_names, str), self.tiles.ids):
            msg = (
                f"section {self.id}: counts and tiles must name the same spots in the same order, "
                f"found {counts.n_obs} rows of counts and {len(self.tiles)} tiles"
            )
            raise InputError(msg)
        if counts.n_obs == 0:
            msg = f"section {self.id}: at least one spot under tissue expected, found none"
            raise InputError(msg)
        if not counts.var_names.is_unique:
            twice = counts.var_names[counts.var_names.duplicated()][0]
            msg = f"section {self.id}: gene names must be unique, found {twice!r} twice: rename or add up those columns"
            raise InputError(msg)
        require_names(counts.var_names, of=f"genes of section {self.id}")
        require_names(counts.obs_names, of=f"spots of section {self.id}")  # numpy cuts NUL off the ends of the tiles'
        for column in counts.obs.select_dtypes(["object", "string", "category"]):
            require_names(counts.obs[column].unique(), of=f"{column} of section {self.id}")
        counts = counts.copy()
        counts.X = as_counts(counts.X, where=f"section {self.id}")
        counts.obsm[keys.SPATIAL] = np.asarray(self.tiles.xy)
        object.__setattr__(self, "counts", counts)

    def __len__(self) -> int:
        return len(self.tiles)

    def __repr__(self) -> str:
        measured = f"{plural(len(self), 'spot')}, {plural(self.counts.n_vars, 'gene')}"
        return f"{self._named}: {measured}, {size(self.tiles.slide.size_px, self.tiles.slide.mpp)}"

    def _repr_html_(self) -> str:
        per_spot = np.asarray(self.counts.X.sum(axis=1)).ravel()
        rows = {
            "spots": f"{len(self):,}",
            "genes": f"{self.counts.n_vars:,}",
            "counts a spot": f"{np.median(per_spot):,.0f} (median)",
            "image": size(self.tiles.slide.size_px, self.tiles.slide.mpp),
            "tile": self.tiles.spec,
        }
        return html_of(self._named, rows, picture=self.tiles.slide.glimpse())

    @property
    def _named(self) -> str:
        return f"Section {self.id} (patient {UNKNOWN if self.patient is None else self.patient})"

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the measured genes, in column order."""
        return tuple(map(str, self.counts.var_names))

    def take(self, index: ArrayLike) -> Self:
        """Return the spots at `index` (integers or a boolean mask), in that order."""
        return replace(self, tiles=self.tiles.take(index), counts=self.counts[np.asarray(index)].copy())

    def with_spec(self, spec: TileSpec) -> Self:
        """Return the same section, its tiles read at another size or scale."""
        return replace(self, tiles=self.tiles.with_spec(spec))


def as_counts(matrix: object, *, where: str) -> sparse.csr_matrix:
    """Return `matrix` as CSR int32 after checking that it holds raw counts.

    Raises
    ------
    InputError
        On NaN, infinite, negative or fractional values; `where` says whose they are.
    """
    counts = sparse.csr_matrix(matrix)
    data = counts.data
    for wrong, what in (
        (~np.isfinite(data), "a value that is not finite"),
        (data < 0, "a negative value"),
        (data != np.floor(data), "a fractional value"),
    ):
        if wrong.any():
            msg = (
                f"{where}: raw integer counts expected, found {what} ({data[wrong][0]:g}): "
                "give the unnormalised count matrix"
            )
            raise InputError(msg)
    counts = counts.astype(np.int32)
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts


def check_sections(sections: Sequence[Section]) -> list[Section]:
    """Return `sections` as a list after checking that there are some and that no two share a name.

    Raises
    ------
    InputError
        If there is no section, two carry one id, or what is given is no list of sections.
    """
    sections = _as_sections(sections)
    if not sections:
        msg = "at least one section expected, found none"
        raise InputError(msg)
    ids = [section.id for section in sections]
    for name in ids:
        if ids.count(name) > 1:
            msg = f"section names must be unique, found {name!r} {ids.count(name)} times: rename one"
            raise InputError(msg)
    return sections


def _as_sections(given: object) -> list[Section]:
    if isinstance(given, Section):
        msg = f"a list of sections expected, found one, {given.id}: put it in brackets, [section]"
        raise InputError(msg)
    if isinstance(given, str | PathLike):
        msg = f"a list of sections expected, found {shown(str(given))}: read it first, mclstexp.read_sections(...)"
        raise InputError(msg)
    sections: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for section in sections:
        if not isinstance(section, Section):
            msg = (
                f"a list of sections expected, found {type(section).__name__}: give what mclstexp.read_sections returns"
            )
            raise InputError(msg)
    return sections


def require_tiles(given: object) -> None:
    """Refuse what is given in place of tiles.

    Raises
    ------
    InputError
        If it is something else, as the section itself.
    """
    if not isinstance(given, Tiles):
        how = "use section.tiles" if isinstance(given, Section) else "give those of a section, or Tiles.grid(slide)"
        msg = f"tiles expected, found {type(given).__name__}: {how}"
        raise InputError(msg)
