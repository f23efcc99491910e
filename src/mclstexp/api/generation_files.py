"""Painted tiles and slides as files, each of which says of itself that it is synthetic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mclstexp.api.generation import GeneTissue, generate_gene, generate_slide
from mclstexp.api.models import load_model
from mclstexp.api.sections import read_one
from mclstexp.core.errors import InputError
from mclstexp.core.generator import Generator
from mclstexp.core.section import Section
from mclstexp.evaluation.config import DataConfig
from mclstexp.generation.pictures import pictures_of_tiles
from mclstexp.io.atomic import atomic_path
from mclstexp.io.generators import load_generator
from mclstexp.io.stamped import write_stamped_png, write_stamped_slide
from mclstexp.io.targets import require_free, require_free_file

MADE: Final = "made.json"
"""What was asked for, tile by tile; the mark of a folder of painted tiles."""
_ON_SHEET: Final = 8
"""Tiles side by side on the sheet."""
Row = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]


def generate_tiles_file(
    generator: Path | str, data: DataConfig, *, out: Path | str, n: int = 16, seed: int = 0, overwrite: bool = False
) -> Path:
    """Paint tiles for the features of spots, evenly drawn from sections, and write them beside a sheet of both.

    Parameters
    ----------
    generator
        Folder of a fitted one.
    data
        Sections whose spots' features are asked for.
    out
        Folder: ``0000.png`` …, ``sheet.png`` and ``made.json``.
    n
        How many tiles.
    seed
        Of what features do not say.
    overwrite
        Whether a folder of painted tiles that is there is replaced.

    Raises
    ------
    InputError
        If something cannot be read, or the place is taken.
    """
    out = Path(out)
    require_free(out, mark=MADE, what="painted tiles", overwrite=overwrite)
    _require_some(n)
    fitted = load_generator(generator)
    sections = data.read(fitted.spec_)
    parts = [_asked(section, -(-n // len(sections))) for section in sections]
    features = np.concatenate([fitted.look(part.tiles) for part in parts])[:n]
    names = [f"{part.id} {spot}" for part in parts for spot in part.tiles.ids][:n]
    measured = np.concatenate([pictures_of_tiles(part.tiles, fitted.made_) for part in parts])[:n]
    painted = fitted.generate(features, seed=seed)
    rows: list[Row] = [
        ("tiles", measured[i : i + _ON_SHEET], painted[i : i + _ON_SHEET]) for i in range(0, len(names), _ON_SHEET)
    ]
    said = [fitted.said_of(seed, asked_for=name) for name in names]
    return _write(out, fitted, [*zip(painted, said, strict=True)], rows)


def generate_gene_file(
    generator: Path | str,
    data: DataConfig,
    gene: str,
    *,
    out: Path | str,
    model: Path | str | None = None,
    overwrite: bool = False,
    **how: Any,
) -> GeneTissue:
    """Paint tissue along a gene, see `generate_gene`, and write it as `generate_tiles_file` does.

    Parameters
    ----------
    generator, data, out, overwrite
        As there.
    gene
        Of the sections, or of the model.
    model
        Folder of a model of expression, whose predictions take the place of what was measured.
    how
        The other arguments of `generate_gene`.

    Raises
    ------
    InputError
        As there; or if something cannot be read, or the place is taken.
    """
    out = Path(out)
    require_free(out, mark=MADE, what="painted tiles", overwrite=overwrite)
    _require_some(how.get("n", 1))
    fitted = load_generator(generator)
    thinks = None if model is None else load_model(model)
    found = generate_gene(fitted, data.read(fitted.spec_), gene, model=thinks, **how)
    by = "measured" if thinks is None else f"predicted by {thinks.name}"
    made, rows = [], []
    for quantile, spots, measured, painted in zip(
        found.quantiles, found.spots, found.measured, found.painted, strict=True
    ):
        said = f"{gene} ({by}) at {quantile:g}"
        rows.append((said, measured[:_ON_SHEET], painted[:_ON_SHEET]))
        made += [
            (picture, fitted.said_of(how.get("seed", 0), asked_for=said, spot=spot))
            for picture, spot in zip(painted, spots, strict=True)
        ]
    _write(out, fitted, made, rows)
    return found


def generate_slide_file(
    generator: Path | str,
    data: DataConfig,
    *,
    out: Path | str,
    repeat: tuple[int, int] = (1, 1),
    overwrite: bool = False,
    **how: Any,
) -> Path:
    """Paint a slide, see `generate_slide`, and write it as a pyramid that opens as any other slide.

    Parameters
    ----------
    generator
        Folder of a fitted one.
    data
        One section, whose tissue about the middle of its spots is asked for.
    out
        File (``.ome.tif``).
    repeat
        How often it is laid (below each other, side by side); painted without seams where that is more than once.
    overwrite
        Whether a file that is there is replaced.
    how
        The other arguments of `generate_slide`.

    Raises
    ------
    InputError
        If something cannot be read, or the place is taken.
    """
    out = Path(out)
    require_free_file(out, what="the slide", overwrite=overwrite, endings=(".tif", ".tiff"))
    fitted = load_generator(generator)
    section = read_one(data, fitted.spec_)
    slide = generate_slide(fitted, section, endless=max(repeat) > 1, **how)
    said = fitted.said_of(how.get("seed", 0), asked_for=section.id, repeat=list(repeat))
    return write_stamped_slide(slide.pixels, out, mpp=slide.mpp, said=said, repeat=repeat)


def _require_some(n: int) -> None:
    if n < 1:
        msg = f"one or more tiles to paint expected, found {n}"
        raise InputError(msg)


def _asked(section: Section, n: int) -> Section:
    """Take spots evenly from a section."""
    return section.take(np.unique(np.linspace(0, len(section) - 1, min(n, len(section))).astype(int)))


def _write(
    out: Path,
    generator: Generator,
    made: Sequence[tuple[NDArray[np.uint8], Mapping[str, Any]]],
    rows: Sequence[Row],
) -> Path:
    with atomic_path(out) as folder:
        folder.mkdir()
        for number, (picture, said) in enumerate(made):
            write_stamped_png(picture, folder / f"{number:04d}.png", said=said)
        sheet = _drawn(rows, generator)
        write_stamped_png(sheet, folder / "sheet.png", said={**made[0][1], "asked_for": [row[0] for row in rows]})
        told = [{"file": f"{number:04d}.png", **said} for number, (_, said) in enumerate(made)]
        (folder / MADE).write_text(json.dumps(told, indent=1, default=str) + "\n", encoding="utf-8")
    return out


def _drawn(rows: Sequence[Row], generator: Generator) -> NDArray[np.uint8]:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    from mclstexp.plotting.painted import plot_painted  # noqa: PLC0415

    figure = plot_painted(rows, mpp=generator.made_.mpp)[0, 0].figure
    figure.set_dpi(200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    plt.close(figure)
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
