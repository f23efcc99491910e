"""A whole slide and its prediction, opened together: what the viewer shows of them."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import anndata as ad
import numpy as np
import shapely
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.colors import to_hex

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import Slide
from mclstexp.io.guard import reading
from mclstexp.io.predictions import read_prediction
from mclstexp.io.slides import open_slide
from mclstexp.plotting.maps import expression_unit, robust_limits
from mclstexp.plotting.style import EXPRESSION, MISSING
from mclstexp.report.viewer_peaks import Smoother
from mclstexp.report.viewer_tiles import TILE_PX, TilePyramid
from mclstexp.whole_slide.pictures import most_varying, tile_side_px, tissue_outline

_ROWS: Final = 4096  # of the prediction held at once
_OUTLINE_PX: Final = 2.0  # an outline is drawn by fewer points: nobody sees two pixels of the scanner


class SlideView:
    """A slide's pixels and the values predicted on it, one gene at a time.

    A prediction is stored tile by tile and looked at gene by gene: it is read once, and laid out by gene in a file
    without a name, which is gone with the process. Memory follows the number of tiles, not of genes.

    Parameters
    ----------
    slide_path, prediction_path
        The slide and its prediction (.h5ad).
    gene
        Shown first; by default the one that varies most.

    Attributes
    ----------
    slide, pyramid
        Pixels.
    layers
        What can be shown: the genes, and `reference_distance` where the method gives it.
    xy
        (n_tiles, 2) centres, level-0 pixels.

    Raises
    ------
    InputError
        If a file cannot be read, is no prediction, or belongs to another slide; if the gene was not predicted.
    """

    def __init__(self, slide_path: Path, prediction_path: Path, *, gene: str | None = None) -> None:
        predicted = _read(prediction_path)
        with reading(prediction_path, "a prediction (.h5ad)"):
            try:
                self._said: dict[str, Any] = predicted.uns[keys.PROVENANCE]
                self.slide: Slide = open_slide(slide_path, mpp=float(self._said["slide_mpp"]))
                check_belongs(self.slide, predicted, slide_path=slide_path)
                self._first = _choose(predicted, gene)
                self._take(predicted)
            finally:
                predicted.file.close()
        self.pyramid = TilePyramid(self.slide)
        self._smoother = Smoother(self.xy, self._side)
        self.peaks = lru_cache(maxsize=64)(self._peaks)

    def _take(self, predicted: ad.AnnData) -> None:
        """Keep what is shown of the prediction, and lay its expression out by gene."""
        self.xy = np.asarray(predicted.obsm[keys.SPATIAL], np.float64)
        self.layers = [*map(str, predicted.var_names)]
        self._said.setdefault("tile_side_px", self._spec_um() / self.slide.mpp)
        self._side = tile_side_px(self._said)
        shape = (predicted.n_vars, predicted.n_obs)
        # without a name, so that nobody else can open it and nothing is left behind
        with tempfile.TemporaryFile() as file:
            self._by_gene = np.memmap(file, np.float32, "w+", shape=shape)
        varying = most_varying(self._lay_out(predicted))
        self._first = varying if self._first is None else self._first
        self._extra: list[Float[np.ndarray, " n"]] = []
        if keys.REFERENCE_DISTANCE in predicted.obs:
            self.layers.append(keys.REFERENCE_DISTANCE)
            self._extra.append(predicted.obs[keys.REFERENCE_DISTANCE].to_numpy(np.float32))
        regions = predicted.obs.get(keys.TISSUE)
        self._regions = [] if regions is None else [str(name) for name in regions]

    def _lay_out(self, predicted: ad.AnnData) -> Any:
        for start in range(0, predicted.n_obs, _ROWS):
            block = predicted.X[start : start + _ROWS]
            block = np.asarray(block.toarray() if hasattr(block, "toarray") else block, np.float32)
            self._by_gene[:, start : start + len(block)] = block.T
            yield block

    def values(self, layer: int) -> Float[np.ndarray, " n_tiles"]:
        """Return a layer's value of each tile, float32; NaN where the slide could not be read."""
        n_genes = len(self._by_gene)
        return np.array(self._by_gene[layer]) if layer < n_genes else self._extra[layer - n_genes]

    def _peaks(self, layer: int) -> dict[str, Any]:
        """Say of a layer what its values do not: limits of the colours, and where it is highest."""
        values = self.values(layer)
        low, high = robust_limits(values.astype(np.float64))
        found = [{"xy": peak.xy, "value": peak.value} for peak in self._smoother.peaks(values)]
        return {"layer": layer, "name": self.layers[layer], "limits": [low, high], "peaks": found}

    def describe(self) -> dict[str, Any]:
        """Return all that the page needs before the first gene, as JSON takes it."""
        said, colours = self._said, colormaps[EXPRESSION](np.linspace(0, 1, 256))
        return {
            "slide": self.slide.id,
            "mpp": self.slide.mpp,
            "size_px": list(self.slide.size_px),
            "max_level": self.pyramid.max_level,
            "tile_px": TILE_PX,
            "layers": self.layers,
            "n_genes": len(self._by_gene),
            "first": self._first,
            "n_tiles": len(self.xy),
            "side_px": self._side,
            "side_um": self._side * self.slide.mpp,
            "tile_um": self._spec_um(),
            "unit": self._unit(),
            "colours": [to_hex(colour) for colour in colours],
            "missing": MISSING,
            "outline": self._outline(),
            "regions": self._regions if any(name != self._regions[0] for name in self._regions) else [],
            "method": str(said.get("method", "")),
            "version": str(said.get("version", "")),
            "upsampled": said.get("upsampled"),
        }

    def _spec_um(self) -> float:
        return float(self._said["spec"]["size_px"] * self._said["spec"]["mpp"])

    def _unit(self) -> str:
        space = self._said.get("space")
        return "" if space is None else expression_unit(ExpressionSpace(**{**space, "genes": ("one",)}))

    def _outline(self) -> list[list[float]]:
        """List the rings of the tissue, each x, y, x, y … in level-0 pixels."""
        tissue = tissue_outline(self._said)
        if tissue is None:
            return []
        polygons = [p for p in shapely.get_parts(shapely.get_parts(tissue)) if isinstance(p, shapely.Polygon)]
        rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
        return [shapely.get_coordinates(ring.simplify(_OUTLINE_PX)).round(1).ravel().tolist() for ring in rings]


def check_belongs(slide: Slide, predicted: ad.AnnData, *, slide_path: Path) -> None:
    """Refuse a prediction of another slide: its map would be drawn over tissue it says nothing of.

    A slide that was renamed since is known by its content.

    Raises
    ------
    InputError
        If size and name say so, or tiles lie off the slide.
    """
    said, size = predicted.uns[keys.PROVENANCE], slide.size_px
    meant = list(said.get("slide_size_px", size))
    if meant != list(size):
        found = f"{size[0]} by {size[1]} pixels, where {said.get('slide', 'another')} has {meant[0]} by {meant[1]}"
        msg = f"the slide that was predicted expected at {slide_path}, found {found}: give that slide"
        raise InputError(msg)
    name, sha256 = said.get("slide_file"), said.get("slide_sha256")
    if name not in (None, slide_path.name) and slide.fingerprint() != sha256:
        msg = f"the slide that was predicted, {name}, expected at {slide_path}, found another: give that slide"
        raise InputError(msg)
    xy = np.asarray(predicted.obsm[keys.SPATIAL])
    outside = ((xy < 0) | (xy > size)).any(axis=1)
    if outside.any():
        msg = f"tiles on the slide {slide_path} expected, found {outside.sum()} of {len(xy)} off it: give their slide"
        raise InputError(msg)


def _read(path: Path) -> ad.AnnData:
    """Open a prediction whose expression stays in the file, after checking that it can be drawn."""
    if path.is_dir() or path.suffix != ".h5ad":
        msg = f"a prediction as .h5ad expected, found {path}: give the slide first, then what predict wrote of it"
        raise InputError(msg)
    predicted = read_prediction(path, backed=True)
    xy = predicted.obsm.get(keys.SPATIAL)
    wrong = None
    if xy is None or np.ndim(xy) != 2 or np.shape(xy)[1] != 2 or not np.isfinite(xy).all():
        wrong = f'a finite place for each tile in obsm["{keys.SPATIAL}"] expected in {path}, found none'
    elif 0 in predicted.shape:
        wrong = f"tiles and genes expected in {path}, found {predicted.n_obs} tiles and {predicted.n_vars} genes"
    if wrong is not None:
        predicted.file.close()
        msg = f"{wrong}: predict the slide again"
        raise InputError(msg)
    return predicted


def _choose(predicted: ad.AnnData, gene: str | None) -> int | None:
    if gene is None:
        return None
    if gene not in predicted.var_names:
        some = ", ".join(map(str, predicted.var_names[:3]))
        msg = f"a gene of the prediction expected, found {gene!r}: choose one of {some}, …"
        raise InputError(msg)
    return int(predicted.var_names.get_loc(gene))
