"""Staining of synthetic tissue: haematoxylin and eosin laid on its regions and cells, mixed as light is absorbed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from mclstexp.io.synthetic.cells import GLASS, Cells, Kind
from mclstexp.io.synthetic.fields import GRID_UM, enlarge, smooth_field, soften
from mclstexp.io.synthetic.tissue import Tissue

LIGHT = (244.0, 243.0, 245.0)
"""Red, green and blue of the glass."""


@dataclass(frozen=True)
class Stain:
    """How one section took its stains: optical density of red, green and blue per unit of each."""

    haematoxylin: Float[np.ndarray, "3"]
    eosin: Float[np.ndarray, "3"]

    @classmethod
    def draw(cls, rng: Generator) -> Stain:
        """Draw one day in one laboratory: hue and strength vary about those of Macenko et al. (ISBI 2009)."""
        strength = rng.uniform([[0.85], [0.75]], [[1.15], [1.2]])
        vectors = np.array([[0.60, 0.68, 0.36], [0.10, 0.78, 0.46]]) * rng.normal(1, 0.06, (2, 3)) * strength
        return cls(*vectors.astype(np.float32))


def stain_tissue(rng: Generator, tissue: Tissue, *, mpp: float, stain: Stain) -> NDArray[np.uint8]:
    """Draw the tissue as a bright-field microscope sees it: (height, width, 3) RGB at `mpp` µm per pixel."""
    shape = (round(tissue.size_um[1] / mpp), round(tissue.size_um[0] / mpp))
    inside = np.clip(enlarge(soften(tissue.region != GLASS), shape), 0, 1)
    layers = np.stack(_layers(rng, tissue, shape, mpp=mpp))
    layers *= inside * (1 + 0.07 * smooth_field(rng, shape, 260, grid_um=mpp))  # thicker here, thinner there
    if mpp < 1:  # the microscope's own blur
        layers = ndimage.gaussian_filter(layers, (0, 0.3 / mpp, 0.3 / mpp))
    np.maximum(layers, 0, out=layers)
    noise = rng.standard_normal(shape, np.float32) * 1.3
    picture = np.empty((*shape, 3), np.uint8)
    for channel, light in enumerate(LIGHT):
        density = layers[0] * stain.haematoxylin[channel] + layers[1] * stain.eosin[channel]
        picture[..., channel] = np.clip(light * np.exp(-density) + noise, 0, 255)
    return picture


def _layers(
    rng: Generator, tissue: Tissue, shape: tuple[int, int], *, mpp: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lay the stains: amounts of (haematoxylin, eosin) at every pixel."""
    share = {kind: soften((tissue.region == kind) & (tissue.lumen < 0.5)) for kind in Kind}
    lumen = np.clip(tissue.lumen, 0, 1)
    solid = 0.44 * share[Kind.TUMOUR] + 0.58 * share[Kind.GLAND] + 0.30 * share[Kind.IMMUNE] + 0.03 * lumen
    violet = 0.17 * share[Kind.TUMOUR] + 0.10 * share[Kind.GLAND] + 0.13 * share[Kind.IMMUNE]
    cloud, grain = smooth_field(rng, shape, 14, grid_um=mpp), _grain(rng, shape, 0.6 / mpp)
    cytoplasm = 1 + 0.12 * cloud + 0.09 * grain
    body, nuclei = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    stamp(body, tissue.cells, mpp=mpp, grow_um=2.6, soft=True)
    cytoplasm *= 0.78 + 0.34 * body  # cells are darker around the nucleus, paler where they part
    eosin = enlarge(solid, shape) * cytoplasm
    eosin += enlarge(share[Kind.STROMA] + 0.3 * tissue.vessel * (1 - lumen), shape) * _fibres(rng, tissue, shape)
    fat_wall = np.clip(1.25 - enlarge(tissue.fat_wall_um, shape) / 2.6 + 0.25 * cloud, 0, 1)
    eosin += 0.5 * enlarge(share[Kind.FAT], shape) * fat_wall
    stamp(nuclei, tissue.cells, mpp=mpp)
    covered = np.minimum(nuclei, 1)
    haematoxylin = enlarge(violet, shape) * cytoplasm * (1 - covered)
    haematoxylin += nuclei * (1 + 0.20 * grain + 0.05 * cloud)
    eosin *= 1 - 0.45 * covered
    stamp(haematoxylin, _nucleoli(rng, tissue), mpp=mpp)
    stamp(eosin, _red_cells(rng, tissue), mpp=mpp)
    return haematoxylin, eosin


def stamp(canvas: NDArray, cells: Cells, *, mpp: float, grow_um: float = 0.0, soft: bool = False) -> None:
    """Draw each nucleus into `canvas` where it is darker than what is there.

    Parameters
    ----------
    canvas
        (rows, columns) float32, changed in place.
    cells
        What to draw.
    mpp
        µm per pixel of the canvas.
    grow_um
        Added to both half axes: with it, the cell's body.
    soft
        Fade towards the rim, instead of an edge with the darker rim of a nucleus.
    """
    axes = ((cells.axes_um + grow_um) / mpp).astype(np.float32)
    wobble = cells.xy_um.sum(axis=1) * 7.3  # of the place alone: nucleus and body are alike
    order = np.argsort(axes[:, 0])
    for rows in np.array_split(order, len(order) // 512 + 1):
        if len(rows) == 0:
            continue
        half = int(np.ceil(axes[rows, 0].max() * 1.12)) + 1
        step = np.arange(-half, half + 1)
        whole = np.floor(cells.xy_um[rows] / mpp).astype(int)
        rest = (cells.xy_um[rows] / mpp - whole - 0.5).astype(np.float32)
        dx, dy = step - rest[:, 0, None, None], step[:, None] - rest[:, 1, None, None]
        c, s, start = (a.astype(np.float32)[:, None, None] for a in _turns(cells.angle[rows], wobble[rows]))
        long, short = axes[rows, 0, None, None], axes[rows, 1, None, None]
        u, v = (c * dx + s * dy) / long, (c * dy - s * dx) / short
        turn = np.arctan2(v, u)
        radius = np.hypot(u, v) / (1 + 0.06 * np.cos(2 * turn + start) + 0.05 * np.cos(3 * turn + 2 * start))
        edge = np.clip(1.6 - 1.6 * radius, 0, 1) if soft else np.clip((1 - radius) * short + 0.5, 0, 1)
        rim = 1.0 if soft else cells.dark[rows, None, None] * (0.84 + 0.26 * np.minimum(radius, 1) ** 3)
        y, x = np.broadcast_arrays(whole[:, 1, None, None] + step[:, None], whole[:, 0, None, None] + step)
        keep = (edge > 0) & (x >= 0) & (y >= 0) & (x < canvas.shape[1]) & (y < canvas.shape[0])
        np.maximum.at(canvas, (y[keep], x[keep]), (edge * rim)[keep].astype(canvas.dtype))


def _turns(angle: NDArray, wobble: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    return np.cos(angle), np.sin(angle), wobble % (2 * np.pi)


def _nucleoli(rng: Generator, tissue: Tissue) -> Cells:
    """Pick the tumour cells of high grade that show a nucleolus, and place it."""
    cells = tissue.cells
    rows = np.flatnonzero((cells.kind == Kind.TUMOUR) & (cells.axes_um[:, 0] > 5) & (rng.random(len(cells.kind)) < 0.6))
    xy = cells.xy_um[rows] + rng.normal(0, 0.9, (len(rows), 2))
    axes = rng.uniform(0.8, 1.3, (len(rows), 1)) * np.ones(2)
    return Cells(xy, cells.kind[rows], axes, cells.angle[rows], cells.dark[rows] * 1.6)


def _red_cells(rng: Generator, tissue: Tissue) -> Cells:
    """Scatter red blood cells, which take eosin alone, in vessels."""
    hollow = np.argwhere((tissue.lumen > 0.9) & (tissue.vessel > 0.9))
    chosen = hollow[rng.random(len(hollow)) < 0.06]
    n = len(chosen)
    xy = (chosen[:, ::-1] + rng.random((n, 2))) * GRID_UM
    return Cells(xy, np.zeros(n, int), rng.normal(3.0, 0.2, (n, 2)), np.zeros(n), rng.normal(0.95, 0.1, n))


def _grain(rng: Generator, shape: tuple[int, int], sigma_px: float) -> NDArray[np.float32]:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma_px)
    return noise / noise.std()


def _fibres(rng: Generator, tissue: Tissue, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Collagen: noise that is short across and long along the curved coordinates; eosin, mean about 0.5."""
    across, along = (enlarge(coordinate, shape) for coordinate in tissue.fibre_um)
    table = ndimage.gaussian_filter(rng.standard_normal((2048, 256), np.float32), 1.0, mode="wrap")
    table /= table.std()
    bundles = np.zeros(shape, np.float32)
    for width_um, length_um, weight in ((1.1, 30.0, 0.5), (4.0, 60.0, 0.75)):
        places = np.stack([across / width_um, along / length_um])
        bundles += weight * ndimage.map_coordinates(table, places, order=1, mode="grid-wrap")
    return np.clip(0.54 + 0.22 * bundles, 0.02, 1.0)
