"""Slides from files and arrays: one geometry over every kind of pixel source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import openslide
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, TileSpec, check_mpp
from mclstexp.io.entries import entries, files_within
from mclstexp.io.guard import guarded, reading
from mclstexp.io.pixel_sources import ArrayPixels, OpenSlidePixels, PixelSource, PlainPixels
from mclstexp.io.tiff_pixels import TiffPixels

IMAGES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".btf")
"""Endings of files that are a slide or a tile."""
SUFFIXES: Final = (*IMAGES, ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm")
"""Endings of slides."""
_TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PLAUSIBLE_MPP: Final = (0.05, 20.0)  # a microscope's; 72 dpi, which programs write unasked, would be 353
_BLOCK_PX: Final = 2048


@dataclass(frozen=True)
class SlideHeader:
    """What a slide file says of itself before any pixel is read."""

    size_px: tuple[int, int]
    """(width, height) of level 0."""
    mpp: float | None
    """Micrometres per level-0 pixel; None where the file does not say, or its pixels are not square."""


class _PyramidSlide(Slide):
    """The geometry that all slides share: level, region, white outside, antialiased resampling."""

    def __init__(self, source: PixelSource, *, id: str, mpp: float) -> None:  # noqa: A002 - the name in `Slide`
        check_mpp(mpp, f"{id}: mpp")
        self.id, self.mpp, self.size_px = id, float(mpp), source.sizes_px[0]
        self._source = source
        self._scales = [_scale(source.sizes_px[0], size) for size in source.sizes_px]

    @property
    @final
    def bounds_px(self) -> tuple[int, int, int, int]:
        """See `Slide.bounds_px`."""
        return self._source.bounds_px or super().bounds_px

    @final
    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """See `Slide.read`; pixel *i* covers [i, i + 1), so a centre of 10 lies between pixels 9 and 10."""
        centre = np.asarray(xy, np.float64)
        if centre.shape != (2,) or not np.isfinite(centre).all():
            msg = f"{self.id}: a tile centre of two finite numbers expected, found {xy!r}"
            raise InputError(msg)
        half = spec.size_um / self.mpp / 2
        shrink = 2 * half / spec.size_px
        level = self._level(shrink)
        box = np.concatenate([centre - half, centre + half]) / np.tile(self._scales[level], 2)
        margin = np.ceil(shrink / self._scales[level]) + 1  # as far as the filter looks, and a pixel of rounding
        return self._resample(level, box, size_px=(spec.size_px, spec.size_px), margin_px=margin)

    @final
    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """See `Slide.thumbnail`; a slide smaller than that is returned as it is."""
        shrink = max(1.0, max(self.size_px) / max_size_px)
        width, height = (max(1, round(side / shrink)) for side in self.size_px)
        level = self._level(shrink)
        box = np.array([0, 0, *self._source.sizes_px[level]], np.float64)
        # no margin: the white outside must not shine through the rim of a picture that ends there
        return self._resample(level, box, size_px=(width, height), margin_px=np.zeros(2))

    def _level(self, shrink: float) -> int:
        """Find the coarsest level that is still as fine as asked; 1 % is less than an mpp is known to."""
        return max(i for i, scale in enumerate(self._scales) if i == 0 or scale.max() <= shrink * 1.01)

    def _resample(
        self, level: int, box: NDArray[np.float64], *, size_px: tuple[int, int], margin_px: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Scale `box` (left, top, right, bottom in pixels of `level`) to `size_px` (width, height).

        The filter is Pillow's BILINEAR, which widens with the reduction (a triangle, so antialiased): unlike
        LANCZOS it does not ring at the white outside, and encoders were mostly trained on it.
        """
        # far reductions are averaged block by block first, so that memory follows the tile and not the slide
        factor = max(1, int(((box[2:] - box[:2]) / size_px).min() / 2))
        start = np.floor((box[:2] - margin_px) / factor).astype(int)
        stop = np.ceil((box[2:] + margin_px) / factor).astype(int)
        canvas = self._canvas(level, factor, start=start, stop=stop)
        left, top, right, bottom = box / factor - np.tile(start, 2)
        picture = Image.fromarray(canvas).resize(size_px, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        return np.asarray(picture)

    def _canvas(self, level: int, factor: int, *, start: NDArray[np.int_], stop: NDArray[np.int_]) -> NDArray[np.uint8]:
        """Read [start, stop) of a level reduced by a whole `factor`, white where the slide is not."""
        limit = np.array(self._source.sizes_px[level])
        canvas = np.full((stop[1] - start[1], stop[0] - start[0], 3), 255, np.uint8)
        step = max(1, _BLOCK_PX // factor)
        first, last = np.maximum(start, 0), np.minimum(stop, -(-limit // factor))
        for y in range(first[1], last[1], step):
            for x in range(first[0], last[0], step):
                right, bottom = min(x + step, last[0]), min(y + step, last[1])
                block = np.full(((bottom - y) * factor, (right - x) * factor, 3), 255, np.uint8)
                far, low = np.minimum([right * factor, bottom * factor], limit)
                with reading(self.id, "pixels of a slide"):
                    block[: low - y * factor, : far - x * factor] = self._source.region(
                        level, (x * factor, y * factor, int(far), int(low))
                    )
                reduced = np.asarray(Image.fromarray(block).reduce(factor)) if factor > 1 else block
                canvas[y - start[1] : bottom - start[1], x - start[0] : right - start[0]] = reduced
        return canvas


@final
class ArraySlide(_PyramidSlide):
    """A slide over an image in memory.

    Parameters
    ----------
    array
        (height, width, 3) RGB.
    mpp
        Micrometres per pixel.
    id
        Name of the slide.

    Raises
    ------
    InputError
        If the array is not RGB uint8 or has no pixels, or `mpp` is not positive.
    """

    def __init__(self, array: NDArray, *, mpp: float, id: str) -> None:  # noqa: A002 - the name in `Slide`
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
            msg = f"{id}: a (height, width, 3) uint8 array expected, found {array.shape} {array.dtype}"
            raise InputError(msg)
        super().__init__(ArrayPixels(array), id=id, mpp=mpp)
        self._array = array
        self._hash = ""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The image, (height, width, 3) RGB."""
        return self._array

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`."""
        if not self._hash:
            digest = hashlib.sha256(str(self._array.shape).encode())
            digest.update(np.ascontiguousarray(self._array).data)
            self._hash = digest.hexdigest()
        return self._hash


@final
class FileSlide(_PyramidSlide):
    """A slide over an image file; made by `open_slide`."""

    def __init__(self, path: Path, source: PixelSource, *, id: str, mpp: float) -> None:  # noqa: A002
        super().__init__(source, id=id, mpp=mpp)
        self.path = path
        self._hash = ""

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`; over the bytes of the file and of those that belong to it."""
        if not self._hash:
            digest = hashlib.sha256()
            for path in slide_files(self.path):
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            self._hash = digest.hexdigest()
        return self._hash


@guarded("a slide")
def open_slide(path: Path | str, *, id: str | None = None, mpp: float | None = None) -> Slide:  # noqa: A002
    """Open a whole-slide image, a TIFF or a plain image.

    Only headers are read. OpenSlide reads what it knows; tifffile reads OME-TIFF and every TIFF OpenSlide does
    not; Pillow reads JPEG, PNG, BMP, WebP and JPEG 2000, which are decoded once, at the first tile. Grey,
    palette, CMYK and transparent images become RGB over white.

    Parameters
    ----------
    path
        The file; for MRXS the ``.mrxs``, for DICOM any file of the slide.
    id
        Name of the slide; the file's name without its ending by default.
    mpp
        Micrometres per level-0 pixel, over what the file says. Ask `probe_slide` what it says.

    Raises
    ------
    InputError
        If the file is missing, no image, damaged, transparent all over or not 8-bit, or its mpp is unknown and not
        given.
    """
    path = Path(path)
    source = open_pixels(path)
    source.require_visible()
    if mpp is None:
        stated = _plausible(source.mpp_xy)
        if stated is None:
            msg = f"{path}: mpp unknown (micrometres per pixel are not in the file): give {word('mpp')}"
            raise InputError(msg)
        if not _square(stated):
            msg = f"{path}: square pixels expected, found {stated[0]:g} by {stated[1]:g} µm: give {word('mpp')}"
            raise InputError(msg)
        mpp = sum(stated) / 2
    return FileSlide(path, source, id=path.stem.removesuffix(".ome") if id is None else id, mpp=mpp)


@guarded("a slide")
def probe_slide(path: Path | str) -> SlideHeader:
    """Return what a slide file says of its size and mpp, reading its header only.

    The way to open a slide whose scale follows from elsewhere, such as the pitch of its spots: probe, work out
    the mpp, then ``open_slide(path, mpp=…)``.

    Raises
    ------
    InputError
        If the file is missing, no image, or not 8-bit.
    """
    source = open_pixels(Path(path))
    stated = _plausible(source.mpp_xy)
    return SlideHeader(source.sizes_px[0], None if stated is None or not _square(stated) else sum(stated) / 2)


@guarded("an image")
def open_pixels(path: Path) -> PixelSource:
    """Open an image file with the library that reads it best, without asking for its scale.

    Raises
    ------
    InputError
        If the file is missing, no image, damaged or not 8-bit.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        msg = f"an image file expected at {path}, found {found}: check the path"
        raise InputError(msg)
    vendor = openslide.OpenSlide.detect_format(path)
    with path.open("rb") as file:
        is_tiff = file.read(4) in _TIFF_MAGIC
    if vendor is None:
        return TiffPixels(path) if is_tiff else PlainPixels(path)
    if vendor == "generic-tiff":
        # OpenSlide would miss a pyramid in SubIFDs and OME's mpp, cut 16 bits to 8 without a word, and is half as fast
        return TiffPixels(path)
    return OpenSlidePixels(path)


def slide_files(path: Path) -> list[Path]:
    """List a slide's file and its companions: an MRXS keeps its pixels in a folder, DICOM and VMS beside it."""
    vendor = openslide.OpenSlide.detect_format(path)
    if vendor == "mirax":
        return [path, *files_within(path.with_suffix(""))]
    if vendor == "dicom" or path.suffix.lower() in (".vms", ".vmu"):
        return [other for other in entries(path.parent) if other.is_file()]
    return [path]


def _scale(full: tuple[int, int], level: tuple[int, int]) -> NDArray[np.float64]:
    """Level-0 pixels per level pixel, (columns, rows).

    Writers cut or fill the last pixel of a level, so that the ratio of sizes is off by a fraction; where a whole
    factor explains the size, that factor is meant.
    """
    ratio = np.array(full) / np.array(level)
    whole = np.round(ratio)
    return np.where(np.abs(np.array(full) / whole - level) < 1, whole, ratio)


def _plausible(mpp_xy: tuple[float, float] | None) -> tuple[float, float] | None:
    low, high = _PLAUSIBLE_MPP
    return mpp_xy if mpp_xy is not None and all(low <= value <= high for value in mpp_xy) else None


def _square(mpp_xy: tuple[float, float]) -> bool:
    return max(mpp_xy) <= 1.01 * min(mpp_xy)
