"""The hidden map of synthetic tissue: which regions lie where, and every cell in them. Lengths are in µm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

GRID_UM = 2.0
"""Spacing of the grid on which regions are drawn."""
GLASS = -1
"""Region number of what is not tissue."""


class Kind(IntEnum):
    """Kinds of cells, and of the regions they fill."""

    STROMA = 0
    TUMOUR = 1
    GLAND = 2
    IMMUNE = 3
    FAT = 4


@dataclass(frozen=True)
class Recipe:
    """What one patient's tissue is made of: shares of its area."""

    tumour: float
    glands: float
    immune: float
    fat: float
    fibre_angle: float

    @classmethod
    def draw(cls, rng: Generator) -> Recipe:
        """Draw a patient."""
        tumour, glands, immune, fat = rng.uniform([0.28, 0.22, 0.10, 0.12], [0.42, 0.34, 0.17, 0.2])
        return cls(tumour, glands, immune, fat, fibre_angle=rng.uniform(0, np.pi))


@dataclass(frozen=True)
class Cells:
    """Cells by their nuclei: ellipses."""

    xy_um: Float[np.ndarray, "n 2"]
    kind: Int[np.ndarray, " n"]
    axes_um: Float[np.ndarray, "n 2"]
    """Long and short half axis."""
    angle: Float[np.ndarray, " n"]
    """Direction of the long axis, radians from x towards y."""
    dark: Float[np.ndarray, " n"]
    """How much haematoxylin the nucleus takes."""


@dataclass(frozen=True)
class Tissue:
    """Regions and cells of one section; never leaves this package's `io`."""

    size_um: tuple[float, float]
    """(width, height)."""
    region: Int[np.ndarray, "rows columns"]
    """`Kind` on the grid, `GLASS` outside."""
    lumen: Float[np.ndarray, "rows columns"]
    """1 in the hollow of glands and vessels."""
    vessel: Float[np.ndarray, "rows columns"]
    """1 in vessels and their wall."""
    grade: Float[np.ndarray, "rows columns"]
    """0 … 1: how large, dark and fast-dividing tumour cells are."""
    fat_wall_um: Float[np.ndarray, "rows columns"]
    """Twice the distance to the nearest border between fat cells."""
    fibre_um: Float[np.ndarray, "2 rows columns"]
    """Curved coordinates (across, along) the fibres."""
    cells: Cells
    """All cells."""

    @cached_property
    def tree(self) -> cKDTree:
        """Cells by place."""
        return cKDTree(self.cells.xy_um)

    def at(self, grid: NDArray, xy_um: NDArray) -> NDArray:
        """Look up `grid` at places (n, 2)."""
        return _at(grid, xy_um)


def grow_tissue(rng: Generator, size_um: tuple[float, float], *, recipe: Recipe) -> Tissue:
    """Draw regions and cells.

    Smooth random fields, cut at the quantiles that the recipe asks for, become regions; each is filled with cells
    of its kind at its density.
    """
    shape = (round(size_um[1] / GRID_UM), round(size_um[0] / GRID_UM))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * GRID_UM
    region = _regions(rng, shape, recipe=recipe)
    lumen, vessel, grade = (
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        _uniform(smooth_field(rng, shape, 220)),
    )
    c, s = np.cos(recipe.fibre_angle), np.sin(recipe.fibre_angle)
    fibre = np.stack([c * y - s * x, c * x + s * y]) + 110 * smooth_field(rng, shape, 170)
    walls = _rings(rng, region, recipe=recipe, lumen=lumen, vessel=vessel)
    centres = _scatter(rng, size_um, 58)
    near = cKDTree(centres).query(np.column_stack([x.ravel(), y.ravel()]), k=2)[0]
    fat_wall = (near[:, 1] - near[:, 0]).reshape(shape).astype(np.float32)
    parts = [*walls, *_fill(rng, region, grade=grade, fibre=fibre, fat_wall=fat_wall, lumen=lumen)]
    cells = Cells(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("xy_um", "kind", "axes_um", "angle", "dark")
        }
    )
    return Tissue(size_um, region, lumen, vessel, grade, fat_wall, fibre, cells)


def smooth_field(rng: Generator, shape: tuple[int, ...], length_um: float, *, grid_um: float = GRID_UM) -> NDArray:
    """Draw a Gaussian random field of mean 0, standard deviation 1 and correlation length `length_um`.

    It is drawn coarsely and enlarged, so that long lengths cost no more than short ones.
    """
    step = max(1, int(length_um / grid_um / 4))
    coarse = tuple(-(-n // step) + 9 for n in shape)
    field = ndimage.gaussian_filter(rng.standard_normal(coarse).astype(np.float32), length_um / grid_um / step / 2)
    field = (field - field.mean()) / field.std()
    large = enlarge(field, (coarse[0] * step, coarse[1] * step))
    return large[4 * step : 4 * step + shape[0], 4 * step : 4 * step + shape[1]]


def enlarge(grid: NDArray, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample a grid to (rows, columns), smoothly."""
    picture = Image.fromarray(grid.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _regions(rng: Generator, shape: tuple[int, int], *, recipe: Recipe) -> NDArray[np.int8]:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    radius = (np.abs(x) ** 3.2 + np.abs(y) ** 3.2) ** (1 / 3.2)
    inside = radius < 0.93 + 0.09 * smooth_field(rng, shape, 260) + 0.012 * smooth_field(rng, shape, 30)
    region = np.full(shape, GLASS, np.int8)
    region[inside] = Kind.STROMA
    fat = smooth_field(rng, shape, 300) + 0.1 * smooth_field(rng, shape, 60)
    tumour = smooth_field(rng, shape, 190) - 0.7 * fat + 0.25 * smooth_field(rng, shape, 50)
    immune = smooth_field(rng, shape, 110) + 0.2 * smooth_field(rng, shape, 25)
    cut = np.quantile(tumour[inside], 1 - recipe.tumour)
    immune += 1.6 * np.exp(-(((tumour - cut) / 0.5) ** 2)) - 0.8 * np.maximum(fat, 0)  # it gathers at the tumour's edge
    region[inside & (fat > np.quantile(fat[inside], 1 - recipe.fat))] = Kind.FAT
    region[inside & (tumour > cut)] = Kind.TUMOUR
    region[inside & (immune > np.quantile(immune[inside], 1 - recipe.immune))] = Kind.IMMUNE
    return region


def _rings(rng: Generator, region: NDArray[np.int8], *, recipe: Recipe, lumen: NDArray, vessel: NDArray) -> list[Cells]:
    """Draw glands and vessels, hollow rings, into `region`, `lumen` and `vessel`; return the cells of their walls."""
    size_um = (region.shape[1] * GRID_UM, region.shape[0] * GRID_UM)
    zone = smooth_field(rng, region.shape, 240)
    walls = []
    for centre in _scatter(rng, size_um, 96):
        is_gland = _at(zone, centre[None])[0] > -recipe.glands
        if not is_gland and rng.random() > 0.35:
            continue
        radius = rng.uniform(34, 50) if is_gland else rng.uniform(12, 26)
        wall = rng.uniform(15, 20) if is_gland else 4.0
        walls += _ring(rng, region, centre, radius=radius, wall=wall, hollows=(lumen, vessel))
    return walls


def _ring(
    rng: Generator,
    region: NDArray[np.int8],
    centre: NDArray,
    *,
    radius: float,
    wall: float,
    hollows: tuple[NDArray, NDArray],
) -> list[Cells]:
    low = np.maximum(((centre - 1.6 * radius) / GRID_UM).astype(int), 0)
    high = ((centre + 1.6 * radius) / GRID_UM).astype(int) + 1
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    y, x = np.mgrid[window].astype(np.float32) * GRID_UM
    if y.shape != region[window].shape:
        return []
    waves = rng.normal(0, [0.14, 0.08, 0.05, 0.03]), rng.uniform(0, 2 * np.pi, 4)

    def outline(theta: NDArray) -> NDArray:
        turns = np.arange(2, 6) * theta[..., None] + waves[1]
        return radius * (1 + (waves[0] * np.cos(turns)).sum(axis=-1))

    theta = np.arctan2(y - centre[1], x - centre[0])
    depth = outline(theta) - np.hypot(y - centre[1], x - centre[0])
    if (region[window][depth > -6] != Kind.STROMA).any():
        return []
    is_gland = wall > 10
    kind = Kind.GLAND if is_gland else Kind.STROMA
    region[window][depth > 0] = kind
    hollows[0][window] = np.maximum(hollows[0][window], np.clip((depth - wall) / GRID_UM + 0.5, 0, 1))
    if not is_gland:
        hollows[1][window] = np.maximum(hollows[1][window], depth > 0)
    n = int(2 * np.pi * radius / (5.2 if is_gland else 16))
    around = (np.arange(n) + rng.normal(0, 0.2, n)) * 2 * np.pi / n
    deep = rng.normal(6.0, 1.6, n) if is_gland else np.full(n, 1.5)
    xy = centre + (outline(around) - deep)[:, None] * np.column_stack([np.cos(around), np.sin(around)])
    axes = np.array([5.0, 2.5] if is_gland else [6.0, 1.3]) * rng.lognormal(0, 0.1, (n, 2))
    angle = around + (0 if is_gland else np.pi / 2) + rng.normal(0, 0.12, n)
    return [Cells(xy, np.full(n, int(kind)), axes, angle, rng.normal(1.15, 0.12, n))]


def _fill(
    rng: Generator, region: NDArray[np.int8], *, grade: NDArray, fibre: NDArray, fat_wall: NDArray, lumen: NDArray
) -> list[Cells]:
    """Scatter the cells of each region."""
    size_um = (region.shape[1] * GRID_UM, region.shape[0] * GRID_UM)
    gradient = np.gradient(fibre[0])
    direction = np.arctan2(gradient[0], gradient[1]) + np.pi / 2  # along the fibres, across their gradient

    def scatter(spacing: float, where: NDArray) -> NDArray:
        xy = _scatter(rng, size_um, spacing)
        return xy[_at(where & (lumen < 0.5), xy)]

    def cells(kind: Kind, xy: NDArray, axes: NDArray, angle: NDArray, dark: NDArray) -> Cells:
        n = len(xy)
        return Cells(
            xy, np.full(n, int(kind)), axes * rng.lognormal(0, 0.12, (n, 2)), angle, dark * rng.lognormal(0, 0.1, n)
        )

    def turn(n: int) -> NDArray:
        return rng.uniform(0, np.pi, n)

    tumour = scatter(11.0, region == Kind.TUMOUR)
    g = _at(grade, tumour)[:, None]
    immune = scatter(8.0, region == Kind.IMMUNE)
    strays = scatter(24, np.isin(region, (Kind.STROMA, Kind.TUMOUR)))
    immune = np.concatenate([immune, strays[rng.random(len(strays)) < 0.22]])
    spindle = scatter(19, region == Kind.STROMA)
    rim = scatter(7, (region == Kind.FAT) & (fat_wall < 4))
    rim = rim[rng.random(len(rim)) < 0.35]
    return [
        cells(Kind.TUMOUR, tumour, (3.3 + 2.4 * g) * [1.18, 0.9], turn(len(tumour)), 0.72 + 0.42 * g[:, 0]),
        cells(Kind.IMMUNE, immune, np.array([2.9, 2.7]), turn(len(immune)), np.full(len(immune), 1.55)),
        cells(
            Kind.STROMA,
            spindle,
            np.array([6.5, 1.6]),
            _at(direction, spindle) + rng.normal(0, 0.15, len(spindle)),
            np.full(len(spindle), 1.15),
        ),
        cells(Kind.FAT, rim, np.array([4.2, 1.5]), turn(len(rim)), np.full(len(rim), 1.3)),
    ]


def _scatter(rng: Generator, size_um: tuple[float, float], spacing: float) -> NDArray[np.float64]:
    """Return places (n, 2) of a hexagonal grid, shaken: as even as cells that push each other aside."""
    rows, columns = int(size_um[1] / spacing / 0.866), int(size_um[0] / spacing)
    row, column = (a.ravel() for a in np.mgrid[:rows, :columns])
    xy = np.column_stack([column + 0.25 + 0.5 * (row % 2), 0.866 * (row + 0.5)]) * spacing
    xy = xy + rng.normal(0, 0.17 * spacing, xy.shape)
    return np.clip(xy, 0, np.array(size_um) - 1e-3)


def _at(grid: NDArray, xy_um: NDArray) -> NDArray:
    column, row = np.clip((xy_um / GRID_UM).astype(int), 0, [grid.shape[1] - 1, grid.shape[0] - 1]).T
    return grid[row, column]


def _uniform(field: NDArray) -> NDArray[np.float32]:
    """Spread a field evenly over 0 … 1."""
    return (np.argsort(np.argsort(field, axis=None)) / field.size).reshape(field.shape).astype(np.float32)
