"""What is known of each finished slide of many: what it was made of, and what it looked like then."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mclstexp.core import identity
from mclstexp.io.finished import is_whole
from mclstexp.io.slides import slide_files
from mclstexp.whole_slide.manifest import SlideJob
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.settings import SlideSettings

FOLDER: Final = ".done"
"""Of the records, in the folder of the results."""


@dataclass(frozen=True)
class Record:
    """One finished slide."""

    key: str
    """Of the model, the slide, its regions and settings."""
    stamp: str
    """Of its result."""

    def write(self, place: Place) -> None:
        """Keep it."""
        place.write(json.dumps({"key": self.key, "stamp": self.stamp}) + "\n", ours=True)


def read_record(place: Place) -> Record | None:
    """Read what `Record.write` kept; one that is damaged is as good as none."""
    try:
        content = json.loads(place.read() or b"")
        return Record(str(content["key"]), str(content["stamp"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # the last of JSON that is deep without end
        return None


def slide_key(model: str, job: SlideJob, settings: SlideSettings) -> str:
    """Say what a slide's result depends on: the key of the model, the bytes of slide and mask, scale and settings."""
    source, mask = Place(job.source), job.mask or settings.mask
    files = slide_files(source.path) if source.is_local and source.path.is_file() else []
    pixels = [Place(str(file)).stamp() for file in files] or [source.stamp()]
    regions = None if mask is None else Place(mask).stamp()
    whole = replace(settings, name=job.name, mpp=job.mpp or settings.mpp, mask=regions)
    return identity.of("slide of many", model, pixels, whole)


def is_current(record: Record | None, result: Place, *, model: str, job: SlideJob, settings: SlideSettings) -> bool:
    """Whether a result is the one that would be made now.

    One that was changed since is kept under another name if it can still be read: somebody may have worked on it.
    So is a folder where a file was. A slide that is gone is taken for unchanged.
    """
    if record is None:
        return False
    if record.stamp != result.stamp():
        if result.is_local and (is_whole(result.path) or _is_strange(result.path)):
            result.set_aside()
        return False
    return Place(job.source).stamp() is None or record.key == slide_key(model, job, settings)


def _is_strange(path: Path) -> bool:
    return path.is_dir() and path.suffix != ".zarr"
