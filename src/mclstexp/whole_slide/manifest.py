"""Which slides are meant: a folder, a glob, a table, a single file; here or in an object store."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.tiles import check_mpp
from mclstexp.io.guard import guarded
from mclstexp.io.slides import SUFFIXES
from mclstexp.whole_slide.places import Place

RUN: Final = "run.json"
"""Says of a folder that predictions were written there: its pictures are no slides."""
COLUMNS: Final = ("slide", "name", "mpp", "mask")
"""Of a table of slides; all but the first may be absent."""
_UNREAD: Final = (".vsi", ".czi", ".lif", ".isyntax", ".zvi", ".nd2", ".kfb", ".sdpc", ".mds", ".tmap")
_HAMAMATSU: Final = (".vms", ".vmu")
_SERIES: Final = re.compile(rb"\x20\x00\x0e\x00UI(..)", re.DOTALL)
"""DICOM's SeriesInstanceUID (0020,000E) with an explicit type, as whole-slide files have it."""


@dataclass(frozen=True)
class SlideJob:
    """A slide to be predicted."""

    name: str
    """What its result is called."""
    source: str
    """Path or URL of its file; of a DICOM slide any file of the series."""
    mpp: float | None = None
    """Micrometres per level-0 pixel, over what the file says."""
    mask: str | None = None
    """Path or URL of a GeoJSON file with the regions to predict."""


@guarded("slides")
def list_slides(source: str) -> list[SlideJob]:
    """List the slides of a folder, a glob, a CSV table or a file.

    A folder is searched to its depths; hidden files, companions of a slide (MRXS, Hamamatsu) and folders with
    predictions are passed over, and a DICOM series counts once. Names follow the path below the folder, with "_" for
    "/", unless the table gives them. A table has the column slide, and name, mpp and mask where wanted; its relative
    paths start at the table's own folder.

    Parameters
    ----------
    source
        Path or URL.

    Returns
    -------
    In the order of the table, else sorted by path.

    Raises
    ------
    InputError
        If there is no slide, two have one name, or the table cannot be used.
    """
    place = Place(source)
    if place.is_dir():
        jobs = _named(place.files(), folder=place.name)
    elif place.name.lower().endswith(".csv"):
        jobs = _read_table(place)
    elif place.is_file():
        jobs = [SlideJob(_stem(place.name), place.url)]
    elif any(sign in source for sign in "*?["):
        jobs = _named(place.matches(), folder="")
    else:
        msg = f"a slide, a folder of slides, a glob or a table (.csv) expected at {source}, found nothing: check it"
        raise InputError(msg)
    if not jobs:
        msg = f"slides ({', '.join(SUFFIXES)}) expected in {source}, found none: check the path"
        raise InputError(msg)
    _check_names(jobs)
    return jobs


def shard(jobs: Sequence[SlideJob], part: str) -> list[SlideJob]:
    """Take one part of the slides; the parts 1/n … n/n are disjoint and make up the whole.

    Parameters
    ----------
    jobs
        All slides, in the same order for every part.
    part
        "i/n", i from 1 to n.

    Raises
    ------
    InputError
        If it is written otherwise.
    """
    number, count = parse_shard(part)
    return list(jobs[number - 1 :: count])


def parse_shard(part: str) -> tuple[int, int]:
    """Read "i/n"; see `shard`."""
    found = re.fullmatch(r"(\d+)/(\d+)", part.strip())
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        msg = f"a part of the slides written i/n, i from 1 to n (in SLURM --array=1-n), expected, found {part!r}"
        raise InputError(msg)
    return number, count


def dicom_series(place: Place) -> bytes:
    """Return the series that a DICOM file names in its first bytes; nothing if it does not there."""
    head = place.head(2**16)
    found = _SERIES.search(head)
    return head[found.end() : found.end() + int.from_bytes(found[1], "little")].strip(b"\0 ") if found else b""


def _named(files: Mapping[str, Place], *, folder: str) -> list[SlideJob]:
    """Make a job of each slide among files, given by their path below `folder`."""
    results = [PurePosixPath(file).parent for file in files if PurePosixPath(file).name == RUN]
    kept = [file for file in files if not any(PurePosixPath(file).is_relative_to(result) for result in results)]
    jobs = [SlideJob(_stem(file).replace("/", "_"), files[file].url) for file in _single(kept)]
    _warn_of_unread(kept)
    return jobs + _dicom({file: files[file] for file in kept if file.lower().endswith(".dcm")}, folder=folder)


def _warn_of_unread(files: Iterable[str]) -> None:
    """Name slides of formats that nobody here reads: left out without a word they would be missed much later."""
    unread = sorted(file for file in files if PurePosixPath(file).suffix.lower() in _UNREAD)
    if unread:
        named = ", ".join(unread[:3]) + (", …" if len(unread) > 3 else "")
        text = f"{len(unread)} slides in a format that is not read are left out ({named}): convert them to OME-TIFF"
        warnings.warn(text, stacklevel=4)


def _single(files: Iterable[str]) -> list[str]:
    """Take the files that are a slide each, companions of others left out."""
    paths = [PurePosixPath(file) for file in files]
    hamamatsu = {path.parent for path in paths if path.suffix.lower() in _HAMAMATSU}
    mirax = {path.with_suffix("") for path in paths if path.suffix.lower() == ".mrxs"}
    found = []
    for path in paths:
        ending = path.suffix.lower()
        companion = (path.parent in hamamatsu and ending not in _HAMAMATSU) or path.parent in mirax
        if ending in SUFFIXES and ending != ".dcm" and not companion:
            found.append(str(path))
    return found


def _dicom(files: Mapping[str, Place], *, folder: str) -> list[SlideJob]:
    """Make a job of each DICOM series: named after its folder, or its first file where a folder holds several."""
    series: dict[tuple[PurePosixPath, bytes], str] = {}
    for file, place in files.items():
        series.setdefault((PurePosixPath(file).parent, dicom_series(place)), file)
    folders = [parent for parent, _ in series]
    jobs = []
    for (parent, _), file in series.items():
        name = folder if str(parent) == "." else str(parent)
        alone = folders.count(parent) == 1 and name
        jobs.append(SlideJob((name if alone else _stem(file)).replace("/", "_"), files[file].url))
    return jobs


def _stem(file: str) -> str:
    path = PurePosixPath(file)
    stem = path.stem.removesuffix(".ome") if path.suffix.lower() in (".tif", ".tiff", ".btf") else path.stem
    return str(path.parent / stem)


def _read_table(place: Place) -> list[SlideJob]:
    content = place.read()
    if content is None:
        msg = f"a table of slides expected at {place}, found no such file: check the path"
        raise InputError(msg)
    try:
        text = content.decode("utf-8-sig")  # as spreadsheets write it
        heading = text.partition("\n")[0]
        separator = next((sign for sign in (",", ";", "\t") if sign in heading), ",")
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True)
    except ValueError as error:  # pandas' errors are of this kind
        msg = f"a table of slides (.csv) expected at {place}, found another file ({' '.join(str(error).split())})"
        raise InputError(msg) from error
    table.columns = table.columns.str.strip()
    for column in table.columns:
        if column not in COLUMNS:
            msg = f"{place}: a column of a table of slides expected, found {column!r}: {suggest(column, COLUMNS)}"
            raise InputError(msg)
    if "slide" not in table:
        msg = f"{place}: a column slide expected, found {', '.join(table.columns)}: add it"
        raise InputError(msg)
    return [_row(place, line, dict(row)) for line, (_, row) in enumerate(table.iterrows(), start=2)]


def _row(place: Place, line: int, row: dict[str, str]) -> SlideJob:
    row = {str(name): str(value).strip() for name, value in row.items()}
    folder = place.parent
    if not row["slide"]:
        msg = f"{place}, line {line}: a slide expected, found an empty cell: fill it in or take the line out"
        raise InputError(msg)
    name = row.get("name") or _stem(PurePosixPath(row["slide"]).name)
    if "/" in name or name.startswith("."):
        msg = f"{place}, line {line}: a name that can be a file's expected, found {name!r}: choose one without a slash"
        raise InputError(msg)
    mask = row.get("mask")
    mpp = _mpp(row["mpp"], where=f"{place}, line {line}") if row.get("mpp") else None
    return SlideJob(name, folder.join(row["slide"]).url, mpp, folder.join(mask).url if mask else None)


def _mpp(text: str, *, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        msg = f"{where}: mpp must be a positive number of µm per pixel, found {text!r}"
        raise InputError(msg)
    return check_mpp(value, f"{where}: mpp")


def _check_names(jobs: list[SlideJob]) -> None:
    first: dict[str, SlideJob] = {}
    for job in jobs:
        other = first.setdefault(job.name, job)
        if other is not job:
            msg = (
                f"a name of its own expected for each slide, found {job.name!r} for {other.source} and {job.source}: "
                "give a table (.csv) with columns slide and name"
            )
            raise InputError(msg)
