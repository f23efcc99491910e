"""`read_sections`: finds out what a path holds and reads it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypedDict, Unpack

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section, check_sections
from mclstexp.core.tiles import TileSpec
from mclstexp.io.checks import require_on_tissue
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded
from mclstexp.io.h5ad import looks_like_h5ad, read_libraries
from mclstexp.io.hest import looks_like_hest, read_hest
from mclstexp.io.imaging import (
    looks_like_cosmx,
    looks_like_merscope,
    looks_like_xenium,
    read_cosmx,
    read_merscope,
    read_xenium,
)
from mclstexp.io.imaging.pooling import Lattice
from mclstexp.io.legacy_st import looks_like_cscc, looks_like_her2st, read_cscc, read_her2st
from mclstexp.io.spatialdata import looks_like_spatialdata, read_spatialdata
from mclstexp.io.st_folder import looks_like_st_folder, read_st_folder
from mclstexp.io.tables import read_st_counts
from mclstexp.io.visium import looks_like_visium, read_visium
from mclstexp.io.visium_cells import looks_like_visium_cells, read_visium_cells
from mclstexp.io.visium_geo import looks_like_visium_geo, read_visium_geo
from mclstexp.io.visium_hd import looks_like_visium_hd, read_visium_hd

__all__ = ["READERS", "Format", "read_sections", "read_st_counts"]


@dataclass(frozen=True)
class Format:
    """A form in which sections are stored."""

    looks_like: Callable[[Path], bool]
    """Whether a path has this form; opens no large file."""
    read: Callable[..., Any]
    """The reader: ``read(path, spec=…, mpp=…)`` gives a `Section`, or a list of them if it holds many."""
    holds_many: bool = False
    """Whether one such path holds several sections, of which the reader takes ``sections=``."""
    may_split: bool = False
    """Whether what carries one section's name may turn out to hold several; such a reader takes ``sections=`` too."""
    takes: frozenset[str] = frozenset()
    """What else can be said of a section: its ``image`` and `Choices`."""


_OF_CELLS: Final = frozenset({"image", "alignment", "pool_um", "lattice"})
READERS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        # the more particular first: an HD or HEST folder may also look like a Visium one
        "visium_hd": Format(looks_like_visium_hd, read_visium_hd, takes=frozenset({"image", "bin_um"})),
        # after the bins, which are read where both lie side by side
        "visium_cells": Format(looks_like_visium_cells, read_visium_cells, takes=frozenset({"image"})),
        "xenium": Format(looks_like_xenium, read_xenium, takes=_OF_CELLS),
        "cosmx": Format(looks_like_cosmx, read_cosmx, takes=_OF_CELLS),
        "merscope": Format(looks_like_merscope, read_merscope, takes=_OF_CELLS),
        "hest": Format(looks_like_hest, read_hest, holds_many=True),
        "visium": Format(looks_like_visium, read_visium, takes=frozenset({"image"})),
        "visium_geo": Format(looks_like_visium_geo, read_visium_geo, holds_many=True, takes=frozenset({"image"})),
        "h5ad": Format(looks_like_h5ad, read_libraries, may_split=True, takes=frozenset({"image", "pitch_um"})),
        "spatialdata": Format(
            looks_like_spatialdata, read_spatialdata, takes=frozenset({"image", "table", "coordinate_system"})
        ),
        "her2st": Format(looks_like_her2st, read_her2st, holds_many=True),
        "cscc": Format(looks_like_cscc, read_cscc, holds_many=True),
        "st_folder": Format(looks_like_st_folder, read_st_folder),
    }
)
"""The known formats by name, in the order in which they are tried."""


class Choices(TypedDict, total=False):
    """What single formats can be told."""

    table: str | None
    """SpatialData: name of the table of counts."""
    coordinate_system: str | None
    """SpatialData: name of the coordinate system in which spots and image lie."""
    bin_um: int | None
    """Visium HD: side of the bins, µm."""
    pitch_um: float | None
    """h5ad: distance between neighbouring spots, µm."""
    alignment: Path | str | None
    """Xenium, CosMx, MERSCOPE: table of 3 by 3 numbers from pixels of the H&E image to those of the assay's own."""
    pool_um: float | None
    """Xenium, CosMx, MERSCOPE: side of the pseudo-spots into which cells are pooled, µm; 0 takes each cell."""
    lattice: Lattice | None
    """Xenium, CosMx, MERSCOPE: "square" or "hexagonal"."""


@guarded("sections")
def read_sections(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002 — what the command line calls it
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    sections: Sequence[str] | None = None,
    patients: Mapping[str, str] | None = None,
    **choices: Unpack[Choices],
) -> list[Section]:
    """Read the sections at a path, whatever their format.

    Parameters
    ----------
    path
        A file or folder of one of `READERS`' formats, or a folder of several such.
    format
        Name of the format; recognised by default.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image(s), over what the data say.
    image
        Where the image of the one section lies; in SpatialData, the name of the image element.
    sections
        Names of the sections to read, in that order; all by default.
    patients
        Whom each section comes from, by its name, over what the data say. Where neither says it the patient is
        unknown (None): folds by patient then refuse, and nothing is claimed about new patients.
    **choices
        What single formats can be told, see `Choices`.

    Raises
    ------
    InputError
        If the format is not known, a file cannot be used, two sections share a name, one that was asked for is not
        there, or spots do not lie on the tissue of their image.
    """
    path = Path(path)
    if not path.exists():
        msg = f"a file or folder with sections expected at {path}, found nothing: check the path"
        raise InputError(msg)
    parts = _parts(path, format)
    alone = [part for part in parts if not READERS[part.format].holds_many]
    if sections is not None and {part.name for part in alone} >= set(sections):
        # a part that holds one section carries its name: the others need not be read
        parts = [part for part in alone if part.name in sections]
    said = {name: value for name, value in {"image": image, **choices}.items() if value is not None}
    _check_said(said, parts, where=path)
    asked = sections if len(parts) == 1 else None
    read = [section for part in parts for section in part.read(asked, spec=spec, mpp=mpp, **said)]
    read = _chosen(check_sections(read), sections, where=path)
    read = _with_patients(read, patients or {})
    for section in read:
        require_on_tissue(section)
    return read


@dataclass(frozen=True)
class _Part:
    """A path and the format it is in."""

    path: Path
    format: str

    @property
    def name(self) -> str:
        """The section's name, in formats that hold one."""
        return self.path.stem if self.path.suffix.lower() in (".h5ad", ".zarr") else self.path.name

    def read(self, sections: Sequence[str] | None, *, spec: TileSpec, mpp: float | None, **said: Any) -> list[Section]:
        """Read it; `sections` chooses where there are many, `said` is what its format takes."""
        form = READERS[self.format]
        if form.holds_many or form.may_split:
            return form.read(self.path, spec=spec, mpp=mpp, sections=sections, **said)
        return [form.read(self.path, spec=spec, mpp=mpp, **said)]


def _parts(path: Path, name: str | None) -> list[_Part]:
    """List what is to be read at `path`: itself, or else whatever it holds directly."""
    if name is not None and name not in READERS:
        near = difflib.get_close_matches(name, READERS, n=1)
        msg = f"a format among {', '.join(READERS)} expected, found {name!r}" + (f": {near[0]}?" if near else "")
        raise InputError(msg)
    if (own := _recognise(path, name)) is not None:
        return [_Part(path, own)]
    within = entries(path) if path.is_dir() else [path]
    parts = [_Part(entry, form) for entry in within if (form := _recognise(entry, name)) is not None]
    if parts:
        return parts
    if name is not None:
        return [_Part(path, name)]  # the reader itself says best what it misses
    listed = ", ".join(entry.name for entry in within[:6]) + (", …" if len(within) > 6 else "")
    msg = (
        f"sections in a known format ({', '.join(READERS)}) expected at {path}, found {listed or 'an empty folder'}: "
        f"check the path, or give {word('format')} to hear what it lacks"
    )
    raise InputError(msg)


def _check_said(said: Mapping[str, Any], parts: Sequence[_Part], *, where: Path) -> None:
    """Refuse what the format found has no use for, and one image for several sections."""
    for name in said:
        if name == "image" and len(parts) > 1:
            msg = f"one section expected at {where} with {word('image')}, found {len(parts)}: leave it out"
            raise InputError(msg)
        for part in parts:
            if name not in READERS[part.format].takes:
                forms = " or ".join(form for form, reader in READERS.items() if name in reader.takes)
                msg = f"the format {forms} expected at {where} with {word(name)}, found {part.format}: leave it out"
                raise InputError(msg)


def _recognise(path: Path, name: str | None) -> str | None:
    names = READERS if name is None else [name]
    return next((known for known in names if READERS[known].looks_like(path)), None)


def _chosen(read: list[Section], sections: Sequence[str] | None, *, where: Path) -> list[Section]:
    if sections is None:
        return read
    known = {section.id: section for section in read}
    lost = [name for name in sections if name not in known]
    if lost:
        found = f"no {lost[0]!r} among {', '.join(known)}"
        msg = f"sections of {where} expected, found {found}: choose {word('sections')} from these"
        raise InputError(msg)
    return check_sections([known[name] for name in sections])


def _with_patients(read: list[Section], patients: Mapping[str, str]) -> list[Section]:
    ids = [section.id for section in read]
    lost = [name for name in patients if name not in ids]
    if lost:
        msg = f"patients of sections that are read expected, found {lost[0]!r} which is none of {', '.join(ids)}"
        raise InputError(msg)
    return [replace(section, patient=patients.get(section.id, section.patient)) for section in read]
