"""Legacy Spatial Transcriptomics: her2st (Andersson et al. 2021) and cSCC (Ji et al. 2020, GSE144240) as published."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded
from mclstexp.io.st_section import ST_ARRAY, Sample, SpotArray, by_spot, images_in, one_image, place_counts
from mclstexp.io.tables import find_table, read_spot_table, read_st_counts
from mclstexp.io.visium import IMAGE_SUFFIXES

CSCC_ARRAY: Final = SpotArray(pitch_um=150.0, spot_um=110.0)
"""The array of GSE144240. Not certain: the values are from memory of the paper, and HEST's metadata have spots of
150 µm 110 µm apart, which would overlap. Give mpp where the scale of the images is known."""

_TSV: Final = (".tsv", ".tsv.gz")
_TABLE: Final = re.compile(r"(?P<name>[^.].*?)\.tsv(?:\.gz)?")
_CSCC_COUNTS: Final = re.compile(r"(?P<stem>(?:GSM\d+_)?(?P<name>[^.].*)_stdata)\.tsv(?:\.gz)?")


def looks_like_her2st(path: Path | str) -> bool:
    """Whether `path` is her2st's repository or its ``data`` folder."""
    root = _her2st_root(Path(path))
    return (root / "ST-cnts").is_dir() and (root / "ST-spotfiles").is_dir()


@guarded("sections of legacy Spatial Transcriptomics")
def read_her2st(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    sections: Sequence[str] | None = None,
) -> list[Section]:
    """Read sections of her2st in its published layout.

    Parameters
    ----------
    path
        The repository or its ``data`` folder, with ``ST-cnts/{S}.tsv.gz``, ``ST-spotfiles/{S}_selection.tsv``,
        ``ST-imgs/{P}/{S}/*.jpg`` and, for some, ``ST-pat/lbl/{S}_labeled_coordinates.tsv``; tables gzipped or plain.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of all images; by default fitted to each section's array (200 µm pitch). Patient A's images are
        smaller than the others'.
    sections
        Which to read (``"C2"``); by default all that have an image, with a warning that names the others.

    Returns
    -------
    list of Section
        In the order of `sections`, or by name. The patient is the first letter. ``counts.obs`` has the array
        coordinates and, where a pathologist gave one, the ``label``.

    Raises
    ------
    InputError
        If a file is absent or damaged, spots do not join, or a scale cannot be found.
    """
    root = _her2st_root(Path(path))
    found = (_TABLE.fullmatch(file.name) for file in _files(root / "ST-cnts"))
    present = sorted({match["name"] for match in found if match})
    wanted = _wanted(present, sections, where=root / "ST-cnts")
    folders = {name: root / "ST-imgs" / name[0] / name for name in wanted}
    if sections is None:
        wanted = _with_image(folders, where=root / "ST-imgs")
    read = []
    for name in wanted:
        counts = find_table(root / "ST-cnts", name, what=f"counts of section {name}")
        spots = find_table(root / "ST-spotfiles", f"{name}_selection", what=f"spot positions of section {name}")
        image = one_image(images_in(folders[name]), where=f"section {name} ({folders[name]})")
        places = _selection(spots)
        if (labels := _labels(root / "ST-pat" / "lbl", name)) is not None:
            places[keys.LABEL] = labels.reindex(places.index)
        sample = Sample(id=name, patient=name[0], image=image, array=ST_ARRAY)
        read.append(place_counts(_rounded(counts), places, sample, spec=spec, mpp=mpp))
    return read


def looks_like_cscc(path: Path | str) -> bool:
    """Whether `path` is a folder of GSE144240's supplementary files."""
    return bool(_cscc_counts(Path(path)))


@guarded("sections of legacy Spatial Transcriptomics")
def read_cscc(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    sections: Sequence[str] | None = None,
) -> list[Section]:
    """Read sections of GSE144240 from one folder of its supplementary files.

    Parameters
    ----------
    path
        Folder with ``{S}_stdata.tsv``, ``spot_data-selection-{S}.tsv`` (gzipped or plain) and ``{S}.jpg`` for each
        section ``P2_ST_rep1``; each file with or without the prefix ``GSM…_``.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of all images; by default fitted to each section's array, whose pitch is `CSCC_ARRAY`'s.
    sections
        Which to read (``"P2_ST_rep1"``); all by default.

    Returns
    -------
    list of Section
        In the order of `sections`, or by name; the patient is what stands before the first underscore.

    Raises
    ------
    InputError
        If a file is absent or damaged, spots do not join, or a scale cannot be found.
    """
    folder = Path(path)
    tables = _cscc_counts(folder)
    read = []
    for name in _wanted(sorted(tables), sections, where=folder):
        counts = find_table(folder, tables[name], what=f"counts of section {name}")
        spots = _cscc_file(folder, f"spot_data-selection-{name}", _TSV, what=f"spot positions of section {name}")
        image = _cscc_file(folder, name, (".jpg", *IMAGE_SUFFIXES), what=f"image of section {name}")
        sample = Sample(id=name, patient=name.split("_")[0], image=image, array=CSCC_ARRAY)
        read.append(place_counts(_rounded(counts), _selection(spots), sample, spec=spec, mpp=mpp))
    return read


def spot_names(xy: pd.DataFrame) -> pd.Index:
    """Return her2st's spot names of array coordinates (n, 2), rounded: ``"9x17"``."""
    x, y = np.rint(xy.to_numpy(np.float64)).astype(int).astype(str).T
    return pd.Index([f"{a}x{b}" for a, b in zip(x, y, strict=True)], dtype=object)


def _rounded(path: Path) -> AnnData:
    """Read counts, their spots named as `spot_names` does (some files have fractions)."""
    counts = read_st_counts(path)
    parts = counts.obs_names.to_series().str.extract(r"^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$")
    if not parts.isna().to_numpy().any():
        counts.obs_names = spot_names(parts)
    return counts


def _selection(path: Path) -> pd.DataFrame:
    """Read a spot file: places by spot name, without those that were deselected."""
    table = read_spot_table(path, ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y"], optional=["selected"])
    table = table.dropna(subset=["x", "y"])
    if "selected" in table:
        table = table[table["selected"].str.strip() != "0"]
    # the refined coordinates say where the spot truly lies, the whole ones which it is
    places = table.rename(columns={"new_x": "array_x", "new_y": "array_y"}).set_index(spot_names(table[["x", "y"]]))
    return by_spot(places, path=path)


def _labels(folder: Path, name: str) -> pd.Series | None:
    """Labels by spot name, if a pathologist labelled this section; rows without coordinates belong to no spot."""
    stem = f"{name}_labeled_coordinates"
    if not any((folder / f"{stem}.tsv{ending}").is_file() for ending in ("", ".gz")):
        return None
    path = find_table(folder, stem, what=f"labels of section {name}")
    table = read_spot_table(path, ["x", "y"], optional=[keys.LABEL]).dropna(subset=["x", "y"])
    if keys.LABEL not in table:
        msg = f"a column 'label' expected in {path}, found none: check that it is the table of labels"
        raise InputError(msg)
    labels = table[keys.LABEL].set_axis(spot_names(table[["x", "y"]]))
    return labels[~labels.index.duplicated()]


def _her2st_root(path: Path) -> Path:
    return path / "data" if (path / "data" / "ST-cnts").is_dir() else path


def _files(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if path.is_file()]


def _wanted(present: Sequence[str], asked: Sequence[str] | None, *, where: Path) -> list[str]:
    if not present:
        msg = f"tables of counts (.tsv or .tsv.gz) expected in {where}, found none: check the path"
        raise InputError(msg)
    lost = [name for name in asked or () if name not in present]
    if lost:
        listed = ", ".join(present[:8]) + (", …" if len(present) > 8 else "")
        msg = f"sections of {where} expected, found no {lost[0]!r} among {listed}: choose {word('sections')} from these"
        raise InputError(msg)
    return list(present if asked is None else asked)


def _with_image(folders: dict[str, Path], *, where: Path) -> list[str]:
    having = [name for name, folder in folders.items() if images_in(folder)]
    lacking = [name for name in folders if name not in having]
    if not having:
        msg = f"images expected in {where}/<patient>/<section>, found none: fetch them, or read the counts alone"
        raise InputError(msg)
    if lacking:
        warnings.warn(f"sections without an image are left out ({len(lacking)}): {', '.join(lacking)}", stacklevel=3)
    return having


def _cscc_counts(folder: Path) -> dict[str, str]:
    """Stem of each section's table of counts."""
    found = (_CSCC_COUNTS.fullmatch(file.name) for file in _files(folder))
    return {match["name"]: match["stem"] for match in found if match}


def _cscc_file(folder: Path, stem: str, endings: Sequence[str], *, what: str) -> Path:
    """Return the file called `stem`, with or without GEO's prefix; whole names are compared, so that P2 is not P12."""
    called = {path: re.sub(r"^GSM\d+_", "", path.name) for path in _files(folder)}
    found = [path for path, name in called.items() if name in [stem + ending for ending in endings]]
    if len(found) == 1:
        return found[0]
    if any(name == f"{stem}{ending}.gz" for name in called.values() for ending in endings):
        msg = f"{what} expected in {folder}, found it packed ({stem}….gz): unpack it with gunzip"
        raise InputError(msg)
    listed = " and ".join(path.name for path in found)
    msg = f"{what} ({stem}{endings[0]}) expected in {folder}, found {listed or 'none'}: "
    raise InputError(msg + ("remove one of them" if found else "fetch it"))
