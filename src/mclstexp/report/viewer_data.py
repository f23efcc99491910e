"""A whole slide and its prediction, opened together: what the viewer shows of them."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Sequence
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
from mclstexp.io.qupath_tiles import tiles_geojson
from mclstexp.io.slides import open_slide
from mclstexp.plotting.maps import expression_unit, robust_limits
from mclstexp.plotting.style import EXPRESSION, MISSING
from mclstexp.report.viewer_genes import KnownGenes
from mclstexp.report.viewer_input import check_belongs, chosen_gene, read_viewed, same_content
from mclstexp.report.viewer_peaks import Smoother
from mclstexp.report.viewer_tiles import TILE_PX, TilePyramid
from mclstexp.whole_slide.pictures import tile_side_px, tissue_outline, variances

_ROWS: Final = 4096  # of the prediction held at once
_MAPS: Final = (EXPRESSION, "cividis", "magma", "gray")  # evenly perceived, and told apart by colour-blind readers
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
        predicted = read_viewed(prediction_path)
        with reading(prediction_path, "a prediction (.h5ad)"):
            try:
                self._said: dict[str, Any] = predicted.uns[keys.PROVENANCE]
                self.slide: Slide = open_slide(slide_path, mpp=float(self._said["slide_mpp"]))
                check_belongs(self.slide, predicted, slide_path=slide_path)
                self._first = chosen_gene(predicted, gene)
                self._take(predicted)
            finally:
                predicted.file.close()
            self.pyramid = TilePyramid(self.slide)
            self._smoother = Smoother(self.xy, self._side)
            self.peaks = lru_cache(maxsize=64)(self._peaks)
            json.dumps(self.describe())  # what the page will ask for first

    def _take(self, predicted: ad.AnnData) -> None:
        """Keep what is shown of the prediction, and lay its expression out by gene."""
        self.xy = np.asarray(predicted.obsm[keys.SPATIAL], np.float64)
        self.layers = [*map(str, predicted.var_names)]
        self._said.setdefault("tile_side_px", self._spec_um() / self.slide.mpp)
        self._side = tile_side_px(self._said)
        shape = (predicted.n_vars, predicted.n_obs)
        self._by_gene = _room(shape)
        self._known = KnownGenes.of(predicted)
        self._variances = variances(self._lay_out(predicted))
        if self._first is None:  # what a model of patients says has its risk first
            self._first = 0 if keys.UNIT in predicted.var else int(self._variances.argmax())
        self._units = [str(unit) for unit in predicted.var.get(keys.UNIT, [])]
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

    def geojson(self, layers: Sequence[int]) -> str:
        """Return the tiles with the values of some layers, for QuPath."""
        values = {self.layers[layer]: self.values(layer) for layer in layers}
        return tiles_geojson(self.xy, side_px=self._side, values=values, origin_px=self.slide.origin_px)

    def belongs(self) -> bool:
        """Whether the slide is, byte for byte, the one that was predicted; a large one is read for it."""
        return same_content(self.slide, self._said)

    def _peaks(self, layer: int) -> dict[str, Any]:
        """Say of a layer what its values do not: limits of the colours, and where it is highest."""
        values = self.values(layer)
        own = robust_limits(values.astype(np.float64))
        training = self._known.limits(layer) if layer < len(self._by_gene) else None
        found = [{"xy": peak.xy, "value": peak.value} for peak in self._smoother.peaks(values)]
        return {
            "layer": layer,
            "name": self.layers[layer],
            "limits": training or own,
            "own": own,
            "training": training,
            "peaks": found,
            "beyond": int((values > self._most).sum()) if layer < len(self._by_gene) else 0,
        }

    def describe(self) -> dict[str, Any]:
        """Return all that the page needs before the first gene, as JSON takes it."""
        said, steps = self._said, np.linspace(0, 1, 256)
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
            "unit": "" if self._space is None else expression_unit(self._space),
            "units": self._units,
            "says": " ".join(said.get("says", [])),
            "most": self._most if np.isfinite(self._most) else None,
            "maps": {name: [*map(to_hex, colormaps[name](steps))] for name in _MAPS},
            "missing": MISSING,
            "spread": [round(float(sd), 6) for sd in np.sqrt(self._variances)],
            "known": self._known.describe(),
            "outline": self._outline(),
            "regions": self._regions if any(name != self._regions[0] for name in self._regions) else [],
            "method": str(said.get("method", "")),
            "version": str(said.get("version", "")),
            "upsampled": said.get("upsampled"),
        }

    def _spec_um(self) -> float:
        return float(self._said["spec"]["size_px"] * self._said["spec"]["mpp"])

    @property
    def _space(self) -> ExpressionSpace | None:
        space = self._said.get("space")
        return None if space is None else ExpressionSpace.of_record(space)

    @property
    def _most(self) -> float:
        """What a gene has if it is all that a spot expresses, or the largest residual: no measured value lies above."""
        space = self._space
        if space is None or space.axis != "spot":
            return math.inf
        if space.scale == "residual":
            return space.clip
        return math.log1p(space.target_sum) / math.log(space.log_base)

    def _outline(self) -> list[list[float]]:
        """List the rings of the tissue, each x, y, x, y … in level-0 pixels."""
        tissue = tissue_outline(self._said)
        if tissue is None:
            return []
        polygons = [p for p in shapely.get_parts(shapely.get_parts(tissue)) if isinstance(p, shapely.Polygon)]
        rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
        return [shapely.get_coordinates(ring.simplify(_OUTLINE_PX)).round(1).ravel().tolist() for ring in rings]


def _room(shape: tuple[int, int]) -> Any:
    """Return an array on disk, in a file without a name: nobody else can open it, and nothing is left behind.

    Raises
    ------
    InputError
        If the disk has no room for it.
    """
    with tempfile.TemporaryFile() as file:
        n_bytes = 4 * math.prod(shape)
        try:
            if hasattr(os, "posix_fallocate"):  # or a full disk would end the process when the pages are written
                os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            where = f"{n_bytes / 1e9:.2g} GB free in {tempfile.gettempdir()}"
            msg = f"{where} expected, found less ({error.strerror}): set TMPDIR to a roomier folder"
            raise InputError(msg) from error
        return np.memmap(file, np.float32, "r+", shape=shape)
