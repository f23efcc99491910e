"""Sections whose spots are put where they belong, and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mclstexp.alignment import Alignment, align, align_by_landmarks, read_landmarks
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.progress import step
from mclstexp.core.section import Section
from mclstexp.io.section_file import write_section
from mclstexp.io.targets import require_free_file


def mend(
    sections: Sequence[Section], *, landmarks: Path | str | None, out: Path | None, overwrite: bool
) -> tuple[list[Section], dict[str, list[str]]]:
    """Put spots where they belong, by what stain explains or by landmarks.

    Parameters
    ----------
    sections
        As they were read.
    landmarks
        Table of pairs of points; None: stain tells.
    out
        A ``.h5ad`` for one section, a folder for any number, or nothing.
    overwrite
        Whether what is there is replaced.

    Returns
    -------
    The sections, mended where something tells how, and what is to be said of each by its name.

    Raises
    ------
    InputError
        If one section is needed and there are several, a place is taken, or nothing tells where the spots of a section
        belong that is to be written as a file.
    """
    alone = out is not None and out.suffix == ".h5ad"
    if len(sections) > 1 and (alone or landmarks is not None):
        given = word("out", str(out)) if alone else word("landmarks")
        msg = f"one section expected with {given}, found {len(sections)}: choose one with {word('sections')}"
        raise InputError(msg)
    pairs = None if landmarks is None else read_landmarks(landmarks)
    targets = {} if out is None else {s.id: out if alone else out / f"{file_name(s)}.h5ad" for s in sections}
    for target in targets.values():
        require_free_file(target, what="the mended section", overwrite=overwrite)
    mended, said = [], {}
    for section in sections:
        step(f"Where the spots of {section.id} belong")
        found = align(section) if pairs is None else align_by_landmarks(section, pairs)
        if found.verdict == "unknown" and alone:
            msg = f"{section.id}: {found.text}"
            raise InputError(msg)
        mended.append(found.mend(section) if found.verdict != "unknown" else section)
        said[section.id] = [f"{section.id}: {found.text}", *_written(mended[-1], found, targets.get(section.id))]
    return mended, said


def file_name(section: Section) -> str:
    """Return a section's name as a file can have it."""
    return section.id.replace("/", "_")


def _written(section: Section, found: Alignment, target: Path | None) -> list[str]:
    if target is None or found.verdict == "unknown":
        return []
    write_section(section, target)
    return [f"{section.id}: written to {target}; read it with the same image"]
