"""A slide of an object store at hand for the time of its prediction, and its results sent back there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mclstexp.core.errors import InputError
from mclstexp.data.features import cache_folder
from mclstexp.io.working import working_folder
from mclstexp.whole_slide.manifest import SlideJob, dicom_series
from mclstexp.whole_slide.places import Place


@dataclass(frozen=True)
class AtHand:
    """Where, on this machine, a slide is read and its result written."""

    slide: Path
    """The slide; a local one where it is, one of a store as a copy."""
    mask: str | None
    """The regions, in the same way."""
    out: Path
    """Where the result goes."""
    workdir: Path | None
    """Where finished blocks are kept; None beside `out`."""


@contextmanager
def at_hand(job: SlideJob, out: Place, *, suffix: str, mask: str | None) -> Iterator[AtHand]:
    """Bring a slide here, and send its result away once the block has succeeded.

    What is local is left where it is. Copies and finished blocks lie under the cache folder, in a folder that belongs
    to this slide and this `out`: a run that was killed finds its blocks again. The main result is sent last, so that
    who finds it takes the slide for done.

    Parameters
    ----------
    job
        The slide.
    out
        Folder of all results.
    suffix
        Ending of the main result.
    mask
        Path or URL of the regions, if any.

    Raises
    ------
    InputError
        If a store, its library or the slide in it cannot be reached.
    """
    source, name = Place(job.source), f"{job.name}{suffix}"
    if source.is_local and out.is_local and (mask is None or Place(mask).is_local):
        yield AtHand(source.path, mask, out.path / name, None)
        return
    key = hashlib.sha256(f"{out} {job.name} {job.source}".encode()).hexdigest()[:24]
    desk = cache_folder() / "slides" / key
    with working_folder(desk, doing="a prediction"):
        try:
            slide = source.path if source.is_local else _fetch(source, desk / "source")
            if mask is not None and not Place(mask).is_local:
                copy = desk / "mask" / Place(mask).name
                _fetch_file(Place(mask), copy)
                mask = str(copy)
            if out.is_local:
                yield AtHand(slide, mask, out.path / name, None)
            else:
                shutil.rmtree(desk / "out", ignore_errors=True)  # of a run that was killed while sending
                (desk / "out").mkdir(parents=True)
                yield AtHand(slide, mask, desk / "out" / name, desk / "blocks")
                for path in sorted((desk / "out").iterdir(), key=lambda path: (path.name == name, path.name)):
                    out.join(path.name).send(path)
        finally:
            for part in ("source", "mask", "out"):
                shutil.rmtree(desk / part, ignore_errors=True)


def _fetch(source: Place, folder: Path) -> Path:
    """Copy a slide and the files that belong to it; return the copy of the slide itself."""
    shutil.rmtree(folder, ignore_errors=True)  # perhaps half a copy
    _fetch_file(source, folder / source.name)
    for name, place in _companions(source).items():
        place.fetch(folder / name)
    return folder / source.name


def _fetch_file(place: Place, path: Path) -> None:
    if not place.is_file():
        msg = f"a file expected at {place}, found none: check the URL"
        raise InputError(msg)
    place.fetch(path)


def _companions(source: Place) -> dict[str, Place]:
    """Return the files that belong to a slide, by their path relative to its folder."""
    ending = PurePosixPath(source.name).suffix.lower()
    if ending == ".mrxs":
        stem = PurePosixPath(source.name).stem
        return {f"{stem}/{name}": place for name, place in source.parent.join(stem).files().items()}
    if ending not in (".dcm", ".vms", ".vmu"):
        return {}
    beside = {name: source.parent.join(name) for name in source.parent.names() if name != source.name}
    if ending == ".dcm":
        series = dicom_series(source)
        beside = {
            name: place for name, place in beside.items() if name.endswith(".dcm") and dicom_series(place) == series
        }
    return {name: place for name, place in beside.items() if place.is_file()}
