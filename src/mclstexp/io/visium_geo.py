"""Space Ranger's files laid flat in one folder, each behind its sample's name, as GEO serves them: ``GSM1_A_….gz``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io import tenx
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded
from mclstexp.io.spaceranger import SCALED_IMAGES, Files, may_be_tissue
from mclstexp.io.tenx_positions import POSITION_FILES
from mclstexp.io.visium import read_files

_POSITIONS: Final = re.compile(rf"(?P<sample>.*?)[_.-]?(?:{'|'.join(map(re.escape, POSITION_FILES))})", re.IGNORECASE)
_MATRICES: Final = ("filtered_feature_bc_matrix.h5", "raw_feature_bc_matrix.h5", "feature_bc_matrix.h5")
_TRIO: Final = (("matrix.mtx", "matrix.mtx.gz"), ("barcodes.tsv", "barcodes.tsv.gz"))
_FEATURES: Final = ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")


def looks_like_visium_geo(path: Path | str) -> bool:
    """Whether `path` is a folder with the positions and counts of samples behind their names."""
    path = Path(path)
    samples = _samples(path)
    return any(_matrix(files) is not None or _packed(files) for files in samples.values())


@guarded("Space Ranger's files behind their samples' names")
def read_visium_geo(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    sections: Sequence[str] | None = None,
) -> list[Section]:
    """Read the Visium sections of one flat folder.

    Parameters
    ----------
    path
        Folder with ``{S}_tissue_positions*.csv``, ``{S}_filtered_feature_bc_matrix.h5`` (or the mtx trio), the
        full-resolution image ``{S}_*.tif`` and, where there are such, ``{S}_scalefactors_json.json`` and the reduced
        pictures of each sample ``{S}``; tables plain or gzipped.
    spec, mpp
        As for `read_visium`.
    image
        The image, where one section is read.
    sections
        Samples to read; all by default.

    Raises
    ------
    InputError
        As `read_visium`, and if a sample is not there or lacks a file.
    """
    path = Path(path)
    samples = _samples(path)
    wanted = list(samples) if sections is None else list(sections)
    lost = [name for name in wanted if name not in samples]
    if lost or not wanted:
        listed = ", ".join(list(samples)[:5]) or "no tissue_positions file"
        found = f"no {lost[0]!r} among {listed}" if lost else listed
        msg = f"samples of {path} expected, found {found}: choose {word('sections')} from these"
        raise InputError(msg)
    if image is not None and len(wanted) > 1:
        msg = (
            f"one section expected at {path} with {word('image')}, found {len(wanted)}: choose with {word('sections')}"
        )
        raise InputError(msg)
    return [
        read_files(_files(samples[name], name, where=path), spec=spec, mpp=mpp, image=image, patient=None)
        for name in wanted
    ]


def _samples(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each sample; the name of one that has none is the folder's."""
    present = [path for path in entries(folder) if path.is_file()]
    prefixes = {match["sample"] for path in present if (match := _POSITIONS.fullmatch(path.name))}
    samples: dict[str, list[Path]] = {prefix: [] for prefix in sorted(prefixes)}
    for path in present:
        # "A" does not take the files of "A_2", nor of "AB"
        own = [p for p in prefixes if path.name.startswith(p) and (not p or path.name[len(p) : len(p) + 1] in "_.-")]
        if own:
            samples[max(own, key=len)].append(path)
    return {prefix or folder.absolute().name: files for prefix, files in samples.items()}


def _files(present: list[Path], name: str, *, where: Path) -> Files:
    matrix = _matrix(present)
    if matrix is None:
        packed = _packed(present)
        found = f"it packed ({packed.name}): unpack it with gunzip" if packed else "none: fetch it"
        msg = f"{name}: a count matrix ({_MATRICES[0]} or the mtx trio) expected in {where}, found {found}"
        raise InputError(msg)
    pictures = {stem: _ending(present, (f"{stem}.png", f"{stem}.png.gz", f"{stem}.jpg")) for stem in SCALED_IMAGES}
    reduced = tuple(SCALED_IMAGES)
    return Files(
        name=name,
        positions=next(path for path in present if _POSITIONS.fullmatch(path.name)),
        matrix=matrix,
        factors=_ending(present, tenx.SCALE_FILES),
        pictures={stem: path for stem, path in pictures.items() if path is not None},
        images=tuple(
            path for path in present if may_be_tissue(path.name) and not any(stem in path.name for stem in reduced)
        ),
        where=where,
        cytassist=any("cytassist" in path.name.lower() for path in present),
    )


def _matrix(present: Sequence[Path]) -> Path | tenx.Trio | None:
    if (file := _ending(present, _MATRICES)) is not None:
        return file
    matrix, barcodes = (_ending(present, endings) for endings in _TRIO)
    features = _ending(present, _FEATURES)
    return None if not (matrix and barcodes and features) else tenx.Trio(matrix, barcodes, features)


def _packed(present: Sequence[Path]) -> Path | None:
    return _ending(present, [f"{name}.gz" for name in _MATRICES])


def _ending(present: Sequence[Path], endings: Sequence[str]) -> Path | None:
    """Return the first file with the first of these endings that one has."""
    return next((path for ending in endings for path in present if path.name.lower().endswith(ending)), None)
