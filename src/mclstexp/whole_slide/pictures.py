"""Pictures of a predicted slide: the thumbnail that scanpy and squidpy draw on, and one gene beside the H&E."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from anndata import AnnData
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import ArrayLike, NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import Slide
from mclstexp.io.atomic import atomic_path
from mclstexp.io.slides import ArraySlide
from mclstexp.plotting.maps import FADED, colour_bar, expression_unit, plot_slide, robust_limits
from mclstexp.plotting.squares import draw_squares
from mclstexp.plotting.style import EXPRESSION, PAGE_IN, style

_THUMBNAIL_PX: Final = 1000
_DPI: Final = 200
_ROWS: Final = 4096
_OUTLINE: Final = "#303030"


def spatial_entry(slide: Slide, *, spot_px: float) -> dict[str, Any]:
    """Make the entry of ``uns["spatial"]`` that scanpy and squidpy draw a slide from.

    Parameters
    ----------
    slide
        Of which a thumbnail of at most 1000 pixels is read.
    spot_px
        How wide they draw a tile, in level-0 pixels.

    Returns
    -------
    "images" (hires: (height, width, 3) uint8), "scalefactors" (thumbnail pixels per level-0 pixel, `spot_px`) and
    empty "metadata", as in 10x's Visium.
    """
    image = slide.thumbnail(_THUMBNAIL_PX)
    factors = {"tissue_hires_scalef": max(image.shape) / max(slide.size_px), "spot_diameter_fullres": float(spot_px)}
    return {"images": {"hires": image}, "scalefactors": factors, "metadata": {}}


def most_varying(blocks: Iterable[Float[np.ndarray, "_ g"]]) -> int:
    """Return the column of largest variance over the rows of all blocks, the first of equals; see `variances`."""
    return int(np.argmax(variances(blocks)))


def variances(blocks: Iterable[Float[np.ndarray, "_ g"]]) -> Float[np.ndarray, " g"]:
    """Return the variance of each column over the rows of all blocks; rows with NaN are left out.

    Memory follows one block. Where no row is finite, all are 0.
    """
    n, mean, squares = 0, np.zeros(1), np.zeros(1)
    for block in blocks:
        finite = np.isfinite(block).all(axis=1)
        squares = np.broadcast_to(squares, block.shape[1:])
        rows = np.asarray(block if finite.all() else block[finite], np.float64)
        if len(rows) == 0:
            continue
        # joined as in Chan et al. 1983 (updating formulae): sums of squares would lose small variances
        own = rows.mean(axis=0)
        apart, total = own - mean, n + len(rows)
        squares = squares + ((rows - own) ** 2).sum(axis=0) + apart**2 * n * len(rows) / total
        mean, n = mean + apart * len(rows) / total, total
    return squares / max(n, 1)


def default_gene(predicted: AnnData) -> str:
    """Return the gene whose prediction varies most over the slide."""
    blocks = (np.asarray(predicted.X[start : start + _ROWS]) for start in range(0, predicted.n_obs, _ROWS))
    return str(predicted.var_names[most_varying(blocks)])


def draw_prediction(predicted: AnnData, slide: Slide, *, gene: str | None, out: Path) -> Path:
    """Write a PNG of a slide, and beside it of one gene's prediction over the paled slide.

    Parameters
    ----------
    predicted
        A prediction of the whole slide, in memory or backed by its file.
    slide, out
        See `draw_gene`.
    gene
        Whose prediction; by default the one that varies most.

    Raises
    ------
    InputError
        If the gene was not predicted or the file cannot be written.
    """
    gene = default_gene(predicted) if gene is None else gene
    if gene not in predicted.var_names:
        some = ", ".join(map(str, predicted.var_names[:3]))
        msg = f"a gene of the prediction expected for the picture, found {gene!r}: choose one of {some}, …"
        raise InputError(msg)
    return draw_gene(predicted, slide, predicted.X[:, predicted.var_names.get_loc(gene)], gene=gene, out=out)


def draw_gene(frame: AnnData, slide: Slide, values: ArrayLike, *, gene: str, out: Path) -> Path:
    """Write a PNG of a slide, and beside it of one value per tile over the paled slide.

    Parameters
    ----------
    frame
        A prediction of the whole slide, with or without its ``X``: places, provenance and thumbnail are taken from it.
    slide
        Which; its pixels are read only where ``uns["spatial"]`` has no thumbnail.
    values
        (n_tiles,) what; NaN is drawn grey.
    gene
        Whose values.
    out
        The file, which appears whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    said, out = frame.uns[keys.PROVENANCE], Path(out)
    image = frame.uns.get(keys.SPATIAL, {}).get(slide.id, {}).get("images", {}).get("hires")
    image = slide.thumbnail(_THUMBNAIL_PX) if image is None else image
    with style():
        figure = plot_beside_slide(
            # a thumbnail taken for a slide of the same µm: pixels are read once for all that is drawn
            ArraySlide(image, mpp=slide.mpp * max(slide.size_px) / max(image.shape), id=slide.id),
            np.asarray(frame.obsm[keys.SPATIAL], np.float64) * slide.mpp,
            np.asarray(values, np.float64),
            side_um=tile_side_px(said) * slide.mpp,
            titles=(_short(slide.id), f"{gene} · predicted"),
            label=_unit(said),
            tissue_um=tissue_outline(said, slide.mpp),
        )
        with atomic_path(out) as path:
            figure.savefig(path, dpi=_DPI, format="png", bbox_inches="tight", pad_inches=0.05)
    return out


def plot_beside_slide(
    slide: Slide,
    xy_um: Float[np.ndarray, "n 2"],
    values: Float[np.ndarray, " n"],
    *,
    side_um: float,
    titles: tuple[str, str] = ("", ""),
    label: str = "",
    tissue_um: shapely.Geometry | None = None,
) -> Figure:
    """Draw a slide, and beside it (beneath it, where it is broad) one value per tile over the paled slide.

    Parameters
    ----------
    slide
        What to draw; the axes are in µm from its upper left corner.
    xy_um
        Centres of the tiles.
    values
        (n,) what; NaN is drawn grey.
    side_um
        How wide a tile is drawn.
    titles
        Of the two.
    label
        Of the colour bar.
    tissue_um
        Polygons drawn as a thin line.
    """
    ratio = slide.size_px[1] / slide.size_px[0]
    broad = ratio < 0.55
    with style():
        width_in = PAGE_IN if broad else max(PAGE_IN / 3, min(PAGE_IN, 2 * PAGE_IN / ratio))
        height_in = 2 * width_in * ratio + 1.2 if broad else width_in / 2 * ratio
        figure = Figure(figsize=(width_in, height_in), layout="compressed")
        axes = figure.subplots(*((2, 1) if broad else (1, 2)))
        for ax, fade, title in zip(axes, (0.0, FADED), titles, strict=True):
            plot_slide(slide, ax=ax, fade=fade)
            ax.set_title(title)
        drawn = draw_squares(axes[1], xy_um, values, side=side_um, limits=robust_limits(values), cmap=EXPRESSION)
        for ax in axes:
            _outline(ax, tissue_um)
        colour_bar(drawn, [axes[1]], label=label, beneath=broad)
    return figure


def tile_side_px(said: Mapping[str, Any]) -> float:
    """Return how wide a tile is drawn, in level-0 pixels: as it is, or as the stride where tiles overlap."""
    stride_um = said.get("stride_um", np.inf)  # places that were given have none
    return float(min(said["tile_side_px"], stride_um / said["slide_mpp"]))


def tissue_outline(said: Mapping[str, Any], scale: float = 1.0) -> shapely.Geometry | None:
    """Return a prediction's tissue, level-0 pixels times `scale`; None where it was not recorded."""
    text = said.get("tissue")
    return None if not text else shapely.transform(shapely.from_geojson(text), lambda xy: xy * scale)


def _short(name: str, longest: int = 36) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 :]}"


def _unit(said: Mapping[str, Any]) -> str:
    space = said.get("space")
    return "expression" if space is None else expression_unit(ExpressionSpace.of_record(space))


def _outline(ax: Axes, tissue_um: shapely.Geometry | None) -> None:
    if tissue_um is None:
        return
    rings = [ring for part in shapely.get_parts(tissue_um, return_index=False) for ring in _rings(part)]
    if rings:
        path = Outline.make_compound_path(*(Outline(ring) for ring in rings))
        ax.add_patch(PathPatch(path, facecolor="none", edgecolor=_OUTLINE, linewidth=0.4, gid="tissue"))


def _rings(part: shapely.Geometry) -> list[NDArray[np.float64]]:
    polygons = [p for p in shapely.get_parts(part) if isinstance(p, shapely.Polygon)]
    return [shapely.get_coordinates(ring) for p in polygons for ring in (p.exterior, *p.interiors)]
