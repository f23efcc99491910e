"""The hidden map of synthetic tissue: which regions lie where, and every cell in them. Lengths are in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mclstexp.io.synthetic.cells import GLASS, Cells, Kind, Ring, fill
from mclstexp.io.synthetic.fields import GRID_UM, look_up, scatter, smooth_field, spread_evenly


@dataclass(frozen=True)
class Recipe:
    """What one patient's tissue is made of: shares of its area."""

    tumour: float
    glands: float
    """Share of the stroma that bears glands."""
    immune: float
    fat: float
    fibre_angle: float
    """Main direction of the fibres, radians."""

    @classmethod
    def draw(cls, rng: Generator) -> Recipe:
        """Draw a patient."""
        tumour, glands, immune, fat = rng.uniform([0.3, 0.4, 0.08, 0.08], [0.45, 0.7, 0.14, 0.15])
        return cls(tumour, glands, immune, fat, fibre_angle=rng.uniform(0, np.pi))


@dataclass(frozen=True)
class Tissue:
    """Regions and cells of one section; it is never handed out with the section."""

    size_um: tuple[float, float]
    """(width, height)."""
    region: Int[np.ndarray, "rows columns"]
    """`Kind` on the grid, `GLASS` outside."""
    lumen: Float[np.ndarray, "rows columns"]
    """1 in the hollow of glands and vessels."""
    vessel: Float[np.ndarray, "rows columns"]
    """1 in vessels and their walls."""
    grade: Float[np.ndarray, "rows columns"]
    """0 … 1: how large, dark and fast-dividing tumour cells are."""
    fat_wall_um: Float[np.ndarray, "rows columns"]
    """0 on the borders between fat cells, larger inside them."""
    fibre_um: Float[np.ndarray, "2 rows columns"]
    """Curved coordinates (across, along) the fibres."""
    cells: Cells
    """All cells."""


def grow_tissue(rng: Generator, size_um: tuple[float, float], *, recipe: Recipe) -> Tissue:
    """Draw regions and cells.

    Smooth random fields, cut at the quantiles that the recipe asks for, become regions; each is filled with cells
    of its kind at its density.
    """
    shape = (round(size_um[1] / GRID_UM), round(size_um[0] / GRID_UM))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * GRID_UM
    c, s = np.cos(recipe.fibre_angle), np.sin(recipe.fibre_angle)
    fibre_um = np.stack([c * y - s * x, c * x + s * y]) + 110 * smooth_field(rng, shape, 170)
    region = _regions(rng, shape, recipe=recipe)
    grade = spread_evenly(smooth_field(rng, shape, 240))
    lumen, vessel, walls = _hollow(rng, region, recipe=recipe)
    near, _ = cKDTree(scatter(rng, size_um, 58)).query(np.column_stack([x.ravel(), y.ravel()]), k=2)
    fat_wall_um = (near[:, 1] - near[:, 0]).reshape(shape).astype(np.float32)
    solid = np.where(lumen > 0.5, np.int8(GLASS), region)
    cells = Cells.join([*walls, *fill(rng, solid, grade=grade, fibre_um=fibre_um, fat_wall_um=fat_wall_um)])
    return Tissue(size_um, region, lumen, vessel, grade, fat_wall_um, fibre_um, cells)


def _regions(rng: Generator, shape: tuple[int, int], *, recipe: Recipe) -> NDArray[np.int8]:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    radius = (np.abs(x) ** 3.2 + np.abs(y) ** 3.2) ** (1 / 3.2)
    rim = np.minimum(0.88 + 0.07 * smooth_field(rng, shape, 260), 0.96)
    inside = radius < rim + 0.01 * smooth_field(rng, shape, 30)
    region = np.full(shape, GLASS, np.int8)
    region[inside] = Kind.STROMA
    fat = smooth_field(rng, shape, 260) + 0.1 * smooth_field(rng, shape, 60)
    tumour = smooth_field(rng, shape, 190) - 0.7 * fat + 0.25 * smooth_field(rng, shape, 50)
    immune = smooth_field(rng, shape, 110) + 0.25 * smooth_field(rng, shape, 25)
    cut = np.quantile(tumour[inside], 1 - recipe.tumour)
    # lymphocytes gather at the tumour's edge and keep out of fat
    immune += 1.4 * np.exp(-(((tumour - cut) / 0.5) ** 2)) - 0.8 * np.maximum(fat, 0)
    septum = np.abs(smooth_field(rng, shape, 85)) < 0.13  # strands of stroma part the tumour into nests
    region[inside & (fat > np.quantile(fat[inside], 1 - recipe.fat))] = Kind.FAT
    region[inside & (tumour > cut) & ~septum] = Kind.TUMOUR
    region[inside & (immune > np.quantile(immune[inside], 1 - recipe.immune))] = Kind.IMMUNE
    return region


def _hollow(
    rng: Generator, region: NDArray[np.int8], *, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[Cells]]:
    """Lay glands and vessels into the stroma of `region`: (lumen, vessel, cells of the walls)."""
    lumen, vessel = np.zeros(region.shape, np.float32), np.zeros(region.shape, np.float32)
    zone = spread_evenly(smooth_field(rng, region.shape, 240))
    walls = []
    for centre in scatter(rng, (region.shape[1] * GRID_UM, region.shape[0] * GRID_UM), 92):
        is_gland = bool(look_up(zone, centre[None])[0] < recipe.glands)
        ring = Ring.draw(rng, centre, is_gland=is_gland)
        low = np.maximum(((centre - 1.6 * ring.radius_um) / GRID_UM).astype(int), 0)
        high = ((centre + 1.6 * ring.radius_um) / GRID_UM).astype(int) + 1
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        y, x = np.indices(region[window].shape) * GRID_UM + (low[::-1] * GRID_UM - centre[::-1])[:, None, None]
        depth = ring.outline_um(np.arctan2(y, x)) - np.hypot(y, x)
        if (region[window][depth > -6] != Kind.STROMA).any() or not (is_gland or rng.random() < 0.4):
            continue
        region[window][depth > 0] = ring.kind
        hollow = np.clip((depth - ring.wall_um) / GRID_UM + 0.5, 0, 1)
        lumen[window] = np.maximum(lumen[window], hollow)
        if not is_gland:
            vessel[window] = np.maximum(vessel[window], np.clip(depth / GRID_UM + 0.5, 0, 1))
        walls.append(ring.cells(rng))
    return lumen, vessel, walls
