"""TIFF that OpenSlide does not read well (OME-TIFF, SubIFD pyramids, strips), decoded piece by piece."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from tifffile import COMPRESSION, PHOTOMETRIC

from mclstexp.core.errors import InputError
from mclstexp.io.bounds import require_stored
from mclstexp.io.pixel_sources import OPAQUE, Box, PixelSource, to_rgb, transparent

# what it says of a damaged file is in the error; without a handler Python prints it on stderr too
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_CACHE_BYTES: Final = 256 * 2**20
_UM: Final = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("in", "inch", "inches"), 25400.0),
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "thou": 25.4,
    "pt": 25400 / 72,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
}
"""Units of length by the names that OME and ImageJ have for them; others ("pixel") are none."""
_UM_PER_RESOLUTION_UNIT: Final = {2: 25400.0, 3: 10000.0}  # inch, centimetre (TIFF 6.0, ResolutionUnit)
_IMAGEJ_UNIT: Final = re.compile(r"^unit=(.*)$", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_MODES: Final = {
    (PHOTOMETRIC.MINISBLACK, 1): "L",
    (PHOTOMETRIC.MINISWHITE, 1): "L",
    (PHOTOMETRIC.MINISBLACK, 2): "LA",  # or L with a channel of another meaning, see `_mode`
    (PHOTOMETRIC.PALETTE, 1): "P",
    (PHOTOMETRIC.RGB, 3): "RGB",
    (PHOTOMETRIC.RGB, 4): "RGBA",  # likewise
    (PHOTOMETRIC.YCBCR, 3): "RGB",  # its JPEG decoder returns RGB
    (PHOTOMETRIC.SEPARATED, 4): "CMYK",
}


@final
class TiffPixels(PixelSource):
    """The largest picture of a TIFF and its pyramid; only the tiles or strips asked for are decoded.

    Raises
    ------
    InputError
        If the file is damaged, not 8-bit, or not one RGB or grey picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with tifffile.TiffFile(path, _multifile=False) as file:  # OME may name other files: none is opened
                if not file.series:
                    msg = "no picture in it"
                    raise EOFError(msg)
                number, series = max(enumerate(file.series), key=lambda item: item[1].keyframe.size)
                self._pages = [_loaded(level.keyframe) for level in series.levels]
                n_planes = len(series.levels[0].pages)
                self.mpp_xy = (_ome_mpp(file, number) if file.is_ome else None) or _resolution_mpp(self._pages[0])
        except Exception as error:  # tifffile and its codecs raise anything
            raise InputError(self._damaged(error)) from error
        page = self._pages[0]
        self._check(page, n_planes=n_planes)
        self.sizes_px = tuple((p.imagewidth, p.imagelength) for p in self._pages)
        height, width = _segment_size(page)
        self._segment = lru_cache(max(4, _CACHE_BYTES // (3 * height * width)))(self._decode)

    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """See `PixelSource.region`.

        Raises
        ------
        InputError
            If the pixels there are damaged.
        """
        left, top, right, bottom = box
        height, width = _segment_size(self._pages[level])
        region = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in range(top // height, -(-bottom // height)):
            for column in range(left // width, -(-right // width)):
                y, x = row * height, column * width
                upper, lower = max(top, y), min(bottom, y + height)
                near, far = max(left, x), min(right, x + width)
                segment = self._segment(level, row, column)
                region[upper - top : lower - top, near - left : far - left] = segment[
                    upper - y : lower - y, near - x : far - x
                ]
        return region

    def require_visible(self) -> None:
        """See `PixelSource.require_visible`; the coarsest level is decoded until something is seen."""
        page = self._pages[-1]
        if not _mode(page).endswith(("A", "a")):
            return
        height, width = _segment_size(page)
        for row in range(-(-page.imagelength // height)):
            for column in range(-(-page.imagewidth // width)):
                try:
                    samples = self._samples(len(self._pages) - 1, row, column)
                except InputError:  # damaged: told when it is read
                    return
                if samples is not None and samples[..., -1].max(initial=0) >= OPAQUE:
                    return
        raise InputError(transparent(self._path))

    def _decode(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        """Decode one tile or strip into RGB; a tile that the file leaves out is white."""
        samples = self._samples(level, row, column)
        if samples is None:
            return np.full((*_segment_size(self._pages[level]), 3), 255, np.uint8)
        return _to_rgb(samples, self._pages[level])

    def _samples(self, level: int, row: int, column: int) -> NDArray | None:
        """Decode one tile or strip, (height, width, channels) as the file has them; None if the file leaves it out."""
        page = self._pages[level]
        height, width = _segment_size(page)
        across, down = -(-page.imagewidth // width), -(-page.imagelength // height)
        n_planes = page.samplesperpixel if page.planarconfig == 2 else 1
        stored = sum(page.databytecounts[row * across + column :: across * down][:n_planes])
        require_stored(self._path, declared=3 * height * width, stored=stored, part="a tile")
        try:
            planes = [self._read(page, plane * across * down + row * across + column) for plane in range(n_planes)]
        except Exception as error:  # tifffile and its codecs raise anything
            raise InputError(self._damaged(error)) from error
        present = [plane for plane in planes if plane is not None]
        return np.concatenate(present, axis=-1) if len(present) == n_planes else None

    def _read(self, page: Any, index: int) -> NDArray | None:
        n_bytes = page.databytecounts[index]
        if not n_bytes:
            return None
        with self._path.open("rb") as file:  # opened anew each time: threads and forks share no position
            file.seek(page.dataoffsets[index])
            data = file.read(n_bytes)
        if len(data) < n_bytes:
            msg = f"{n_bytes - len(data)} bytes missing"
            raise EOFError(msg)
        return page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0][0]

    def _check(self, page: Any, *, n_planes: int) -> None:
        if page.dtype not in (np.uint8, np.bool_):
            msg = f"{self._path}: 8-bit colour or grey expected, found {page.dtype} pixels: save it as 8-bit RGB"
            raise InputError(msg)
        undecoded = page.photometric == PHOTOMETRIC.YCBCR and page.compression not in (
            COMPRESSION.JPEG,
            COMPRESSION.OJPEG,
        )
        if n_planes > 1 or undecoded or (page.photometric, page.samplesperpixel) not in _MODES:
            name = getattr(page.photometric, "name", page.photometric)
            msg = (
                f"{self._path}: one RGB or grey picture expected, found {n_planes} plane(s) of "
                f"{page.samplesperpixel} {name} channel(s): save it as 8-bit RGB"
            )
            raise InputError(msg)

    def _damaged(self, error: Exception) -> str:
        return f"{self._path}: a whole TIFF expected, found it damaged or cut short ({error}): copy it again"


def _loaded(page: Any) -> Any:
    """Return the page after touching what tifffile reads from the file only when asked: it will be closed."""
    for name in ("decode", "dataoffsets", "databytecounts", "jpegtables", "jpegheader", "colormap", "extrasamples"):
        getattr(page, name)
    return page


def _segment_size(page: Any) -> tuple[int, int]:
    """(height, width) of a tile, or of a strip, which is as wide as the picture."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _mode(page: Any) -> str:
    """Return Pillow's name for what a page's channels are.

    TIFF 6.0, ExtraSamples: a channel beyond the colours is alpha where it says 1 (colours already multiplied by it) or
    2; where it says 0 or nothing, it may be anything, and the colours are the picture.
    """
    mode = _MODES[page.photometric, page.samplesperpixel]
    if not mode.endswith("A"):
        return mode
    kind = int(page.extrasamples[0]) if page.extrasamples else 0
    return {1: f"{mode[:-1]}a", 2: mode}.get(kind, mode[:-1])


def _to_rgb(segment: NDArray, page: Any) -> NDArray[np.uint8]:
    """Turn a decoded segment (height, width, channels) into RGB, following the page's photometric tag."""
    mode = _mode(page)
    if page.dtype == np.bool_:
        segment = segment.astype(np.uint8) * 255
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        segment = 255 - segment
    if mode == "P":
        palette = (page.colormap >> 8).astype(np.uint8)  # (3, 256), stored with 16 bits
        return palette[:, segment[..., 0]].transpose(1, 2, 0)
    pixels = np.ascontiguousarray(segment[..., 0] if mode == "L" else segment[..., : len(mode)])
    height, width = pixels.shape[:2]
    return to_rgb(Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1))


def _ome_mpp(file: tifffile.TiffFile, number: int) -> tuple[float, float] | None:
    """PhysicalSizeX and PhysicalSizeY of image `number` in the OME-XML, µm."""
    images = tifffile.xml2dict(file.ome_metadata or "").get("OME", {}).get("Image", {})
    image = images[min(number, len(images) - 1)] if isinstance(images, list) else images
    pixels = image.get("Pixels", {})
    try:
        x, y = (
            float(pixels[f"PhysicalSize{axis}"]) * _UM[pixels.get(f"PhysicalSize{axis}Unit", "µm")] for axis in "XY"
        )
    except (KeyError, ValueError):
        return None
    return x, y


def _resolution_mpp(page: Any) -> tuple[float, float] | None:
    """µm per pixel from the resolution tags, where their unit is a length: ImageJ's own, or else the tag's."""
    tags = page.tags
    named = _IMAGEJ_UNIT.search(page.description) if page.description.startswith("ImageJ=") else None
    if named:
        unit = _UM.get(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), named[1].strip()))
    else:
        unit = _UM_PER_RESOLUTION_UNIT.get(tags.valueof("ResolutionUnit", 0))
    per_unit = [tags.valueof(name) for name in ("XResolution", "YResolution")]
    if unit is None or not all(value and value[0] and value[1] for value in per_unit):
        return None
    x, y = (unit * value[1] / value[0] for value in per_unit)
    return x, y
