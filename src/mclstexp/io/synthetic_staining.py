"""Staining of synthetic tissue: haematoxylin and eosin laid on its regions and cells, mixed as light is absorbed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from mclstexp.io.synthetic_tissue import GLASS, GRID_UM, Cells, Kind, Tissue, enlarge, smooth_field


@dataclass(frozen=True)
class Stain:
    """How one section took its stains: optical density per unit of each, and how strong."""

    haematoxylin: NDArray[np.float32]
    """(3,) absorbance of red, green, blue."""
    eosin: NDArray[np.float32]
    """(3,) likewise."""

    @classmethod
    def draw(cls, rng: Generator) -> Stain:
        """Draw a laboratory's day: hue and strength vary about the reference of Macenko et al. (ISBI 2009)."""
        hue = rng.normal(1, 0.06, (2, 3)) * rng.uniform([[0.85], [0.75]], [[1.15], [1.2]])
        vectors = np.array([[0.60, 0.68, 0.36], [0.10, 0.78, 0.46]]) * hue
        return cls(*vectors.astype(np.float32))


def stain_tissue(rng: Generator, tissue: Tissue, *, mpp: float, stain: Stain) -> NDArray[np.uint8]:
    """Draw the tissue as a bright-field microscope sees it: (height, width, 3) RGB at `mpp` µm per pixel."""
    shape = (round(tissue.size_um[1] / mpp), round(tissue.size_um[0] / mpp))
    share = {kind: _share(tissue.region == kind, shape) for kind in Kind}
    inside = _share(tissue.region != GLASS, shape)
    hollow = np.clip(enlarge(tissue.lumen, shape), 0, 1)
    fine, coarse = _noise(rng, shape, 0.7 / mpp), smooth_field(rng, shape, 14, grid_um=mpp)
    fibres = _fibres(rng, tissue, shape)
    fat_wall = _line(enlarge(tissue.fat_wall_um, shape) - 3.0 - 1.2 * coarse)
    vessel = enlarge(tissue.vessel, shape)

    eosin = share[Kind.STROMA] * (0.10 + 0.62 * fibres)
    eosin += share[Kind.TUMOUR] * (0.44 + 0.06 * coarse + 0.05 * fine)
    eosin += share[Kind.GLAND] * (0.56 + 0.05 * coarse + 0.05 * fine)
    eosin += share[Kind.IMMUNE] * (0.30 + 0.06 * coarse + 0.05 * fine)
    eosin += share[Kind.FAT] * 0.55 * fat_wall
    eosin += np.clip(vessel, 0, 1) * 0.25
    mucin = 0.035 + 0.03 * np.maximum(coarse, 0)
    eosin = eosin * (1 - hollow) + hollow * mucin
    # cells have a body: darker around each nucleus, paler where they part
    body = np.zeros(shape, np.float32)
    stamp(body, tissue.cells, mpp=mpp, grow_um=2.6, soft=True)
    eosin *= 0.82 + 0.3 * np.minimum(body, 1)
    violet = share[Kind.TUMOUR] * 0.16 + share[Kind.GLAND] * 0.08 + share[Kind.IMMUNE] * 0.12
    haematoxylin = violet * (1 + 0.2 * coarse) * (0.55 + 0.6 * np.minimum(body, 1)) * (1 - hollow)
    nuclei = np.zeros(shape, np.float32)
    stamp(nuclei, tissue.cells, mpp=mpp)
    chromatin = 1 + 0.16 * fine + 0.05 * coarse
    covered = np.minimum(nuclei, 1)
    haematoxylin = haematoxylin * (1 - covered) + nuclei * chromatin
    eosin = eosin * (1 - 0.45 * covered)
    stamp(eosin, _red_cells(rng, tissue), mpp=mpp)
    thickness = 1 + 0.07 * smooth_field(rng, shape, 260, grid_um=mpp)
    layers = np.stack([haematoxylin, eosin]) * (inside * thickness)
    if mpp < 1:  # the microscope's own blur
        layers = ndimage.gaussian_filter(layers, (0, 0.3 / mpp, 0.3 / mpp))
    density = np.maximum(layers, 0).transpose(1, 2, 0) @ np.stack([stain.haematoxylin, stain.eosin])
    light = np.array([244, 243, 245], np.float32) * np.exp(-density)
    light += rng.normal(0, 1.3, shape).astype(np.float32)[..., None]
    return np.clip(light, 0, 255).astype(np.uint8)


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
        Fade towards the rim instead of an edge with the darker rim of a nucleus.
    """
    axes = (cells.axes_um + grow_um) / mpp
    order = np.argsort(axes[:, 0])
    # wobble that depends on the place alone keeps nucleus and body alike
    phase = cells.xy_um.sum(axis=1) * 7.3
    for rows in np.array_split(order, max(1, len(order) // 512)):
        if len(rows) == 0:
            continue
        half = int(np.ceil(axes[rows, 0].max() * 1.2)) + 1
        step = np.arange(-half, half + 1)
        whole = np.floor(cells.xy_um[rows] / mpp).astype(int)
        rest = cells.xy_um[rows] / mpp - whole - 0.5
        dx = step[None, None, :] - rest[:, 0, None, None]
        dy = step[None, :, None] - rest[:, 1, None, None]
        c, s = (f(cells.angle[rows])[:, None, None] for f in (np.cos, np.sin))
        long, short = axes[rows, 0, None, None], axes[rows, 1, None, None]
        u, v = (c * dx + s * dy) / long, (c * dy - s * dx) / short
        turn = np.arctan2(v, u)
        start = phase[rows, None, None]
        radius = np.hypot(u, v) / (1 + 0.06 * np.cos(2 * turn + start) + 0.05 * np.cos(3 * turn + 2 * start))
        edge = np.clip(1.6 - 1.6 * radius, 0, 1) if soft else np.clip((1 - radius) * short + 0.5, 0, 1)
        value = edge if soft else edge * cells.dark[rows, None, None] * (0.86 + 0.24 * np.minimum(radius, 1) ** 3)
        y = whole[:, 1, None, None] + step[None, :, None] + np.zeros_like(dx, int)
        x = whole[:, 0, None, None] + step[None, None, :] + np.zeros_like(dy, int)
        keep = (value > 0) & (x >= 0) & (y >= 0) & (x < canvas.shape[1]) & (y < canvas.shape[0])
        np.maximum.at(canvas, (y[keep], x[keep]), value[keep].astype(canvas.dtype))


def _red_cells(rng: Generator, tissue: Tissue) -> Cells:
    """Scatter red blood cells, which take eosin only, in the hollow of vessels."""
    hollow = np.argwhere((tissue.lumen > 0.9) & (tissue.vessel > 0))
    chosen = hollow[rng.random(len(hollow)) < 0.045]
    n = len(chosen)
    xy = (chosen[:, ::-1] + rng.random((n, 2))) * GRID_UM
    return Cells(xy, np.zeros(n, int), rng.normal(3.2, 0.2, (n, 2)), np.zeros(n), rng.normal(1.25, 0.1, n))


def _share(mask: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Enlarge a region's mask with an edge a few µm soft."""
    return np.clip(enlarge(ndimage.gaussian_filter(mask.astype(np.float32), 1.2), shape), 0, 1)


def _noise(rng: Generator, shape: tuple[int, int], sigma_px: float) -> NDArray[np.float32]:
    noise = rng.standard_normal(shape, np.float32)
    noise = ndimage.gaussian_filter(noise, sigma_px)
    return noise / noise.std()


def _fibres(rng: Generator, tissue: Tissue, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Collagen: noise that is short across and long along the curved coordinates, 0 … about 1.3."""
    across, along = (enlarge(coordinate, shape) for coordinate in tissue.fibre_um)
    table = rng.standard_normal((2048, 256)).astype(np.float32)
    bundles = np.zeros(shape, np.float32)
    for width_um, length_um, weight in ((2.2, 45.0, 0.55), (7.0, 90.0, 0.6)):
        smooth = ndimage.gaussian_filter(table, 1.0, mode="wrap")
        smooth /= smooth.std()
        places = np.stack([across / width_um * 1.6, along / length_um * 1.6])
        bundles += weight * ndimage.map_coordinates(smooth, places, order=1, mode="grid-wrap")
    return np.clip(0.78 + 0.42 * bundles, 0.02, 1.4)


def _line(distance: NDArray) -> NDArray[np.float32]:
    """1 where the distance is below 0, falling to 0 within 3 µm."""
    return np.clip(1 - distance / 3.0, 0, 1)
