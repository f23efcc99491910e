"""Where the pixels of a slide come from: an array, a plain image, OpenSlide. Levels and regions, no micrometres."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

import numpy as np
import openslide
from numpy.typing import NDArray
from PIL import Image, ImageFile

from mclstexp.core.errors import InputError
from mclstexp.io.bounds import require_stored

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of one level, the last two exclusive."""

_PLAIN_FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "JPEG2000")
_PLAIN_MODES: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
OPAQUE: Final = 128
"""A picture none of whose pixels has this much of 255 shows nothing."""
_CROP_PX: Final = 2**24  # pixels converted at once: bounds the second copy of a huge image
_bomb_guard: Final = threading.Lock()


class PixelSource(ABC):
    """A pyramid of RGB pictures.

    Attributes
    ----------
    sizes_px
        (width, height) of each level, level 0 (the largest) first.
    mpp_xy
        Micrometres per level-0 pixel along columns and rows, or None where the file does not say.
    bounds_px
        What of level 0 was scanned, or None where the file does not say.
    """

    sizes_px: tuple[tuple[int, int], ...]
    mpp_xy: tuple[float, float] | None = None
    bounds_px: Box | None = None

    @abstractmethod
    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """Return the pixels of `box`, which lies inside the level: (height, width, 3) RGB."""

    def require_visible(self) -> None:  # noqa: B027  most kinds cannot be transparent
        """Refuse a picture that is transparent all over: it would be white.

        Raises
        ------
        InputError
            If it is.
        """


@final
class ArrayPixels(PixelSource):
    """One level held in memory: (height, width, 3) uint8."""

    def __init__(self, array: NDArray[np.uint8]) -> None:
        self._levels = [array]
        self.sizes_px = ((array.shape[1], array.shape[0]),)

    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """See `PixelSource.region`."""
        left, top, right, bottom = box
        return self._levels[level][top:bottom, left:right]


@final
class PlainPixels(PixelSource):
    """A JPEG, PNG, BMP, WebP or JPEG 2000 file, decoded on the first read of a level and then kept.

    A JPEG has levels 1/2, 1/4 and 1/8, because its decoder can scale in the cosine domain: a coarse tile or a
    thumbnail of a gigapixel JPEG then needs neither the time nor the memory of the full picture.
    An EXIF orientation is not applied: spot coordinates refer to the pixels as they are stored.

    Raises
    ------
    InputError
        If the file is no such image, or has more than 8 bits per channel.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(path) as image:
            width, height = image.size
            bytes_px = 1 / 8 if image.mode in ("1", "L", "P") else 3  # grey and palettes may be stored as bits
            require_stored(path, declared=int(bytes_px * width * height), stored=path.stat().st_size)
            # Pillow cuts the channels of a 16-bit colour PNG to 8 bits unasked; only its decoder's name tells
            kind = "16-bit" if any(";16" in str(tile.args) for tile in image.tile) else image.mode
            if kind not in _PLAIN_MODES:
                msg = f"{path}: 8-bit colour or grey expected, found {kind} pixels: save it as 8-bit RGB"
                raise InputError(msg)
            self._has_alpha = _has_alpha(image)
            scales = (1, 2, 4, 8) if image.format in ("JPEG", "MPO") and min(width, height) >= 64 else (1,)
        self.sizes_px = tuple((-(-width // s), -(-height // s)) for s in scales)
        self._levels: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """See `PixelSource.region`.

        Raises
        ------
        InputError
            If the file is damaged; pixels are decoded here for the first time.
        """
        with self._lock:
            if level not in self._levels:
                self._levels[level] = self._decode(level)
        left, top, right, bottom = box
        return self._levels[level][top:bottom, left:right]

    def require_visible(self) -> None:
        """See `PixelSource.require_visible`; the picture is decoded for it, which its first tile would ask anyway."""
        if self._has_alpha:
            self.region(0, (0, 0, 1, 1))

    def _decode(self, level: int) -> NDArray[np.uint8]:
        opacity = 0 if self._has_alpha else 255
        with _opened(self._path) as image:
            if level:
                image.draft(None, (image.width >> level, image.height >> level))
            try:
                image.load()
            except Exception as error:  # Pillow's decoders raise anything
                msg = f"{self._path}: a whole image expected, found it damaged or cut short ({error}): copy it again"
                raise InputError(msg) from error
            width, height = self.sizes_px[level]
            array = np.empty((height, width, 3), np.uint8)
            n_rows = max(1, _CROP_PX // width)
            for top in range(0, height, n_rows):
                part = image.crop((0, top, width, min(top + n_rows, height)))
                array[top : top + n_rows] = to_rgb(part)
                opacity = max(opacity, opacity_of(part))
        if opacity < OPAQUE:
            raise InputError(transparent(self._path))
        return array


@final
class OpenSlidePixels(PixelSource):
    """Whatever OpenSlide opens: SVS, NDPI, MRXS, SCN, DICOM, tiled TIFF and more.

    Raises
    ------
    InputError
        If OpenSlide finds the file damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise InputError(self._damaged(error)) from error
        self.sizes_px = tuple(self._slide.level_dimensions)
        properties = self._slide.properties
        try:
            self.mpp_xy = (
                float(properties[openslide.PROPERTY_NAME_MPP_X]),
                float(properties[openslide.PROPERTY_NAME_MPP_Y]),
            )
        except (KeyError, ValueError):
            self.mpp_xy = None
        self.bounds_px = _bounds(properties, self.sizes_px[0])

    def region(self, level: int, box: Box) -> NDArray[np.uint8]:
        """See `PixelSource.region`.

        Raises
        ------
        InputError
            If the pixels there are damaged.
        """
        left, top, right, bottom = box
        shared = self._slide
        scale = shared.level_downsamples[level]
        where = (round(left * scale), round(top * scale)), level, (right - left, bottom - top)
        try:
            return to_rgb(shared.read_region(*where))
        except openslide.OpenSlideError:
            pass
        # after an error a handle refuses every read, those of other threads too: look again with one of our own
        try:
            fresh = openslide.OpenSlide(self._path)
            with self._lock:
                if self._slide is shared:
                    self._slide = openslide.OpenSlide(self._path)
            return to_rgb(fresh.read_region(*where))
        except openslide.OpenSlideError as error:
            raise InputError(self._damaged(error)) from error

    def _damaged(self, error: Exception) -> str:
        return f"{self._path}: a whole slide expected, found it damaged or cut short ({error}): copy it again"


def transparent(path: Path) -> str:
    """Say that a picture is transparent all over."""
    return f"{path}: a picture expected, found it transparent all over: save it as RGB, without an alpha channel"


def opacity_of(image: Image.Image) -> int:
    """Return how opaque the most opaque pixel is, 0 to 255."""
    if not _has_alpha(image):
        return 255
    return int(np.asarray(image.convert("RGBA"))[..., 3].max(initial=0))


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _bounds(properties: Mapping[str, str], size_px: tuple[int, int]) -> Box | None:
    """Return what OpenSlide says was scanned; None where it is silent, or says the whole or nonsense."""
    try:
        left, top = (int(properties[f"openslide.bounds-{side}"]) for side in "xy")
        width = int(properties.get("openslide.bounds-width", size_px[0] - left))
        height = int(properties.get("openslide.bounds-height", size_px[1] - top))
    except (KeyError, ValueError):
        return None
    box = (max(left, 0), max(top, 0), min(left + width, size_px[0]), min(top + height, size_px[1]))
    return box if box[0] < box[2] and box[1] < box[3] else None


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return any 8-bit picture as (height, width, 3) RGB; what is transparent becomes white."""
    if _has_alpha(image):
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        if alpha.getextrema() != (255, 255):
            white = Image.new("RGB", image.size, "white")
            white.paste(rgba, mask=alpha)
            return np.asarray(white)
        image = rgba
    return np.asarray(image.convert("RGB"))


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open a plain image of any size; Pillow's limit on pixels is lifted for the opening only."""
    with _bomb_guard:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=_PLAIN_FORMATS)
        except Exception as error:  # Pillow's decoders raise anything
            msg = f"{path}: an image expected (SVS, NDPI, TIFF, JPEG, PNG …), found something else: check the path"
            raise InputError(msg) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image
