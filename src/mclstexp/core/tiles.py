"""Pixels and places: `TileSpec`, `Slide` and `Tiles`. None of them can carry expression."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mclstexp.core.display import THUMBNAIL_PX, html_of, plural, size
from mclstexp.core.errors import InputError
from mclstexp.core.names import require_names
from mclstexp.core.places import said_of_misplaced

_SCALES_MPP: Final = (1e-3, 1e4)
"""µm per pixel of a picture of tissue; beyond, a unit was mistaken, and a tile would be all of the slide or nothing."""


def check_mpp(value: float, what: str) -> float:
    """Return a number that is given as µm per pixel.

    Raises
    ------
    InputError
        If it is not positive, or beyond every microscope and camera.
    """
    if not (math.isfinite(value) and value > 0):
        msg = f"{what} must be a positive number of µm per pixel, found {value!r}"
        raise InputError(msg)
    least, most = _SCALES_MPP
    if not least <= value <= most:
        msg = f"{what} must be {least:g} to {most:g} µm per pixel, found {value!r}: check its unit"
        raise InputError(msg)
    return value


@dataclass(frozen=True)
class TileSpec:
    """A square image region in physical units; the only way to say how big a tile is.

    Raises
    ------
    InputError
        If `size_px` is not a positive integer or `mpp` is no scale (`check_mpp`).
    """

    size_px: int = 224
    """Side of the tile as the encoder sees it, in pixels."""
    mpp: float = 0.5
    """Micrometres per pixel of the tile as the encoder sees it."""

    def __post_init__(self) -> None:
        if int(self.size_px) != self.size_px or self.size_px <= 0:
            msg = f"tile size_px must be a positive integer, found {self.size_px!r}"
            raise InputError(msg)
        check_mpp(self.mpp, "tile mpp")

    def __str__(self) -> str:
        return f"{self.size_px} px at {self.mpp:g} µm/px ({self.size_um:g} µm)"

    @property
    def size_um(self) -> float:
        """Side of the tile in tissue, µm."""
        return self.size_px * self.mpp


class Slide(ABC):
    """Pixels of one image, readable at any place and scale; never loaded whole.

    Attributes
    ----------
    id
        Name of the slide, unique within a study.
    mpp
        Micrometres per level-0 pixel.
    size_px
        (width, height) of level 0.
    stored
        The one size and scale in which tiles exist, where they were cut beforehand; None where pixels are read at will.
    """

    id: str
    mpp: float
    size_px: tuple[int, int]
    stored: TileSpec | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.id}: {size(self.size_px, self.mpp)}"

    def _repr_html_(self) -> str:
        area_mm2 = self.size_px[0] * self.size_px[1] * (self.mpp / 1000) ** 2
        rows = {"size": size(self.size_px, self.mpp), "area": f"{area_mm2:.1f} mm²"}
        return html_of(f"{type(self).__name__} {self.id}", rows, picture=self.glimpse())

    def glimpse(self) -> NDArray[np.uint8] | None:
        """Return a small picture for a notebook; none where the slide cannot be read any more."""
        try:
            return self.thumbnail(THUMBNAIL_PX)
        except Exception:  # noqa: BLE001  what is shown in passing must not fail
            return None

    @property
    def bounds_px(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of what was scanned, in level-0 pixels; the whole image unless the file says.

        QuPath and others show no more than this of a slide and count from its upper left corner.
        """
        return (0, 0, *self.size_px)

    @property
    def origin_px(self) -> tuple[int, int]:
        """Upper left corner of what was scanned, in level-0 pixels."""
        return self.bounds_px[:2]

    def known_by(self) -> tuple[Any, ...]:
        """Return what tells this slide from others: pixels, scale, size, where its coordinates begin; not its name."""
        return self.fingerprint(), float(self.mpp), self.size_px, self.origin_px

    def stored_xy(self) -> NDArray[np.float64]:
        """Return (n, 2) centres of the tiles that were cut beforehand; none where pixels are read at will."""
        return np.zeros((0, 2))

    @abstractmethod
    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Read the tile of `spec` centred on `xy`.

        Parameters
        ----------
        xy
            (column, row) of the centre in level-0 pixels; fractions allowed.
        spec
            Size and scale of the result.

        Returns
        -------
        (spec.size_px, spec.size_px, 3) RGB, antialiased from the best pyramid level, white outside the image.
        """

    @abstractmethod
    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """Return the whole slide as RGB, its longer side at most `max_size_px` pixels."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of the image content (not of its name); equal hashes mean equal pixels."""


@dataclass(frozen=True, eq=False, repr=False)
class Tiles:
    """Places on a slide at which tiles are read; the sole argument of `Predictor.predict`.

    Raises
    ------
    InputError
        If `xy`, `ids` and `array_xy` differ in length, a coordinate is not finite, or an id occurs twice.
    """

    slide: Slide
    """Where the pixels come from."""
    xy: NDArray[np.float64]
    """(n, 2) centres, (column, row) in level-0 pixels."""
    ids: NDArray[np.str_]
    """(n,) unique names: barcodes, array positions."""
    spec: TileSpec = TileSpec()
    """Size and scale at which each tile is read."""
    array_xy: NDArray[np.float64] | None = None
    """(n, 2) (array column, array row) on the capture array, where there is one."""

    def __post_init__(self) -> None:
        xy = np.asarray(self.xy, dtype=np.float64)
        ids = np.asarray(self.ids, dtype=np.str_)
        if xy.ndim != 2 or xy.shape[1] != 2:
            msg = f"tile centres must have shape (n, 2), found {xy.shape}"
            raise InputError(msg)
        if found := said_of_misplaced(xy):
            msg = f"tile centres must be finite, found {found}: drop those rows"
            raise InputError(msg)
        if ids.shape != (len(xy),):
            msg = f"one id per tile expected, found {ids.size} ids for {len(xy)} tiles"
            raise InputError(msg)
        require_names(self.ids, of=f"tiles of {self.slide.id}")
        unique, n_uses = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            twice = str(unique[n_uses > 1][0])
            msg = f"tile ids must be unique, found {twice!r} {n_uses.max()} times on {self.slide.id}"
            raise InputError(msg)
        object.__setattr__(self, "xy", _frozen(xy))
        object.__setattr__(self, "ids", _frozen(ids))
        if self.array_xy is not None:
            array_xy = np.asarray(self.array_xy, dtype=np.float64)
            if array_xy.shape != xy.shape:
                msg = f"array coordinates must have shape {xy.shape}, found {array_xy.shape}"
                raise InputError(msg)
            object.__setattr__(self, "array_xy", _frozen(array_xy))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Tiles of {self.slide.id}: {plural(len(self), 'place')}, each {self.spec}"

    def _repr_html_(self) -> str:
        rows = {"places": f"{len(self):,}", "tile": self.spec, "slide": self.slide}
        return html_of(f"Tiles of {self.slide.id}", rows, picture=self.slide.glimpse())

    @property
    def xy_um(self) -> NDArray[np.float64]:
        """(n, 2) centres in µm from the slide's upper left corner."""
        return self.xy * self.slide.mpp

    def read(self, index: int) -> NDArray[np.uint8]:
        """Read tile number `index`: (size_px, size_px, 3) RGB."""
        return self.slide.read(self.xy[index], self.spec)

    def take(self, index: ArrayLike) -> Self:
        """Return the tiles at `index` (integers or a boolean mask), in that order."""
        index = np.asarray(index)
        array_xy = None if self.array_xy is None else self.array_xy[index]
        return replace(self, xy=self.xy[index], ids=self.ids[index], array_xy=array_xy)

    def with_spec(self, spec: TileSpec) -> Self:
        """Return the same places, read at another size or scale."""
        return replace(self, spec=spec)

    @classmethod
    def grid(
        cls,
        slide: Slide,
        mask: NDArray[np.bool_] | None = None,
        *,
        spec: TileSpec = TileSpec(),
        stride_um: float | None = None,
    ) -> Self:
        """Lay a square grid of tiles over a slide.

        Parameters
        ----------
        slide
            The slide to cover.
        mask
            (rows, columns) boolean picture of the whole slide at any scale; a tile is kept where its centre
            falls on True. Everything is kept without one.
        spec
            Size and scale of the tiles.
        stride_um
            Distance between centres in µm; the tile's side (no overlap, no gap) by default.

        Raises
        ------
        InputError
            If the stride is not positive or no tile is left.
        """
        stride_um = spec.size_um if stride_um is None else stride_um
        if not stride_um > 0:
            msg = f"stride must be a positive number of µm, found {stride_um!r}"
            raise InputError(msg)
        stride_px = stride_um / slide.mpp
        axes = [np.arange(stride_px / 2, max(extent, stride_px), stride_px) for extent in slide.size_px]
        columns, rows = (a.ravel() for a in np.meshgrid(np.arange(len(axes[0])), np.arange(len(axes[1]))))
        xy = np.column_stack([axes[0][columns], axes[1][rows]])
        if mask is not None:
            scale = np.array([mask.shape[1], mask.shape[0]]) / np.array(slide.size_px)
            at = np.minimum((xy * scale).astype(int), [mask.shape[1] - 1, mask.shape[0] - 1])
            keep = mask[at[:, 1], at[:, 0]]
            xy, columns, rows = xy[keep], columns[keep], rows[keep]
        if len(xy) == 0:
            msg = f"no tile of {spec.size_um:g} µm lies on the mask of {slide.id}: check the tissue mask or the stride"
            raise InputError(msg)
        ids = np.char.add(np.char.add(columns.astype(np.str_), "x"), rows.astype(np.str_))
        return cls(slide=slide, xy=xy, ids=ids, spec=spec, array_xy=np.column_stack([columns, rows]))


def _frozen(array: NDArray) -> NDArray:
    """Copy `array` into one that cannot be written to, so that a frozen type is frozen all through."""
    array = array.copy()
    array.flags.writeable = False
    return array
