"""The reason of a method that retrieves, made visible: a tile, and the measured spots its prediction is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.identity import hash_section
from mclstexp.core.measured import has_counts
from mclstexp.core.predictor import Predictor
from mclstexp.core.retrieval import strongest
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.plotting.style import COLOURS, PAGE_IN, scale_bar, style

_LONG: Final = 18  # letters above a tile


def plot_gallery(
    model: Predictor,
    tiles: Tiles,
    sections: Sequence[Section],
    *,
    at: Sequence[int],
    n_neighbours: int = 5,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw tiles and, beside each, the tiles of the measured spots that weigh most in its prediction.

    Parameters
    ----------
    model
        Fitted, and one that retrieves (mclstexp, bleep, st_gchb, knn).
    tiles
        All that are asked: a method may look at those around a tile too.
    sections
        Those the model was fitted on, in any order: the model keeps their spots, not their pixels.
    at
        Numbers of the tiles to show, a row each.
    n_neighbours
        Spots shown for each.
    axes
        (len(at) · (1 + n_neighbours)) axes, row by row; a new figure of page width by default.

    Returns
    -------
    (len(at), 1 + n_neighbours) axes. Above a spot's tile stand its section (and patient, if another name), its
    weight in the prediction and the cosine between the embeddings. Tiles are drawn as the model sees them.

    Raises
    ------
    InputError
        If the model keeps no spots, or a section it was fitted on is missing or not the same.
    """
    retrievals = model.retrieve(tiles)
    places = find_spots(model, sections)
    found = strongest(retrievals, n=n_neighbours)
    n_columns = 1 + found.rows.shape[1]
    with style():
        axes = _grid(axes, len(at), n_columns)
        for row, number in enumerate(at):
            _tile(axes[row, 0], tiles, number, title=f"asked\n{_name(tiles.slide.id, tiles.ids[number])}")
            axes[row, 0].spines[:].set(visible=True, color=COLOURS[1], linewidth=1.4)
            for ax, spot, weight, cosine in zip(
                axes[row, 1:], found.rows[number], found.weights[number], found.cosine[number], strict=True
            ):
                section, index = places[spot]
                patient = "" if section.patient in (None, section.id) else f"patient {section.patient}\n"
                said = f"{_name(section.id, section.tiles.ids[index])}\n{patient}"
                _tile(ax, section.tiles, index, title=f"{said}weight {_percent(weight)} · cos {cosine:.2f}")
        scale_bar(axes[0, 0], tiles.spec.mpp)
    return axes


def find_spots(model: Predictor, sections: Sequence[Section]) -> list[tuple[Section, int]]:
    """Say what each training spot of a fitted model is: its section and number there.

    Parameters
    ----------
    model
        Fitted.
    sections
        Those it was fitted on, and others, in any order.

    Returns
    -------
    (section, number) in the order in which `Retrieval` counts training spots.

    Raises
    ------
    InputError
        If a section that the model was fitted on is missing or its counts or places are others now.
    """
    given = {section.id: section for section in sections}
    spots: list[tuple[Section, int]] = []
    for name, said in model.provenance_["sections"].items():
        section = given.get(name)
        if section is None or hash_section(section) != said:
            what = "none of that name" if section is None else "other counts or places"
            msg = f"the section {name!r} that the model was fitted on expected, found {what}: read it as for the fit"
            raise InputError(msg)
        # models of before spots without counts were left out learnt them all
        kept = has_counts(section, min_counts=model.provenance_.get("min_counts", 0), space=model.space_)
        spots += [(section, int(number)) for number in np.flatnonzero(kept)]
    return spots


def _tile(ax: Axes, tiles: Tiles, number: int, *, title: str) -> None:
    ax.imshow(tiles.read(number))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=6.5)


def _name(section: str, spot: str) -> str:
    """Name a spot above its tile, on two lines if one would reach into the next tile's."""
    return f"{section}{' · ' if len(section) + len(spot) <= _LONG else chr(10)}{spot}"


def _percent(weight: float) -> str:
    percent = 100 * weight
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:#.2g} %"


def _grid(axes: Any, n_rows: int, n_columns: int) -> NDArray:
    if axes is None:
        side = PAGE_IN / n_columns
        axes = plt.subplots(n_rows, n_columns, figsize=(PAGE_IN, n_rows * (side + 0.3)), squeeze=False)[1]
    axes = np.asarray(axes, dtype=object)
    if axes.size != n_rows * n_columns:
        msg = f"{n_rows * n_columns} axes expected ({n_rows} rows of {n_columns}), found {axes.size}: give as many"
        raise InputError(msg)
    return axes.reshape(n_rows, n_columns)
