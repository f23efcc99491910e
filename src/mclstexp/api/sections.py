"""Sections read and looked at before anything is learnt from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mclstexp.api.mending import file_name, mend
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.atomic import atomic_path
from mclstexp.io.checks import check_section, describe_section, places_to_be_mended
from mclstexp.io.targets import require_free_file, require_writable


def read_one(data: DataConfig, spec: TileSpec) -> Section:
    """Read the one section that a question is asked of.

    Raises
    ------
    InputError
        If it cannot be read, or there are several.
    """
    sections = data.read(spec)
    if len(sections) != 1:
        msg = f"one section expected in {data.path}, found {len(sections)}: choose one with {word('sections')}"
        raise InputError(msg)
    return sections[0]


def validate(
    data: DataConfig,
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    out: Path | str | None = None,
    align: bool = False,
    landmarks: Path | str | None = None,
    overwrite: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> list[tuple[dict[str, Any], list[str]]]:
    """Read sections and say what they are and what is likely wrong with them.

    Parameters
    ----------
    data
        The sections.
    tile
        Size and scale of the tiles they are meant for.
    out
        Folder for a picture of each section with its spots; none by default. With `align` or `landmarks` the mended
        sections are written too, as h5ad: into that folder, or of one section as the file that `out` names.
    align
        Whether it is found out where spots belong (`mclstexp.alignment.align`); what is said is of mended sections.
    landmarks
        Table of pairs of points that say it instead; of one section.
    overwrite
        Whether pictures and mended sections that are already there are replaced, the slides themselves among them.
    on_note
        Called with each sentence on where spots belong; by default they stand with the others.

    Returns
    -------
    For each section its description and the sentences about it.

    Raises
    ------
    InputError
        If the data cannot be read or do not belong together, the place is taken, or a section is to be written as a
        file of which nothing tells where its spots belong.
    """
    mends = align or landmarks is not None
    target = None if out is None else Path(out)
    alone = mends and target is not None and target.suffix == ".h5ad"
    if target is not None and not alone:
        require_writable(target)
    if alone and target is not None:
        require_free_file(target, what="the mended section", overwrite=overwrite)
    with _recorded() as told, places_to_be_mended() if mends else nullcontext():
        sections = data.read(tile)
    pictures = {} if target is None or alone else {s.id: target / f"{file_name(s)}.png" for s in sections}
    for picture in pictures.values():
        require_free_file(picture, what="the overlay", overwrite=overwrite)
    said: dict[str, list[str]] = {}
    if mends:
        sections, said = mend(sections, landmarks=landmarks, out=target, overwrite=overwrite)
    if on_note is not None:
        for sentence in [sentence for sentences in said.values() for sentence in sentences]:
            on_note(sentence)
        said = {}
    found = [
        (describe_section(section), [*said.get(section.id, []), *check_section(section, min_counts=data.min_counts)])
        for section in sections
    ]
    known = {sentence for _, sentences in found for sentence in sentences}
    _warn([warning for warning in told if str(warning.message) not in known])
    for section in sections if pictures else ():
        _draw_overlay(section, pictures[section.id])
    return found


@contextmanager
def _recorded() -> Iterator[list[warnings.WarningMessage]]:
    """Hold back warnings, so that what is found while reading and looking is said once; all are let go on an error."""
    told: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                yield told
            finally:
                told += heard
    except InputError:
        _warn(told)
        raise


def _warn(told: Sequence[warnings.WarningMessage]) -> None:
    for warning in told:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _draw_overlay(section: Section, target: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it

    from mclstexp.plotting.overlay import plot_overlay  # noqa: PLC0415
    from mclstexp.plotting.style import PAGE_IN  # noqa: PLC0415

    figure, ax = plt.subplots(figsize=(PAGE_IN, PAGE_IN), layout="compressed")
    plot_overlay(section, ax=ax)
    with atomic_path(target) as path:
        figure.savefig(path, dpi=200)
    plt.close(figure)
