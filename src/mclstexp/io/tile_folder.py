"""A folder of ready-made tile images, one file per tile."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.entries import entries
from mclstexp.io.guard import guarded
from mclstexp.io.slides import open_pixels

_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_NAMES: Final = (re.compile(rf"x{_NUMBER}_y{_NUMBER}$"), re.compile(rf"(?:^|_){_NUMBER}x{_NUMBER}$"))


@final
class TileFolder(Slide):
    """A slide of which only ready-made tiles exist; made by `read_tiles`."""

    def __init__(self, files: dict[tuple[float, float], Path], *, id: str, spec: TileSpec) -> None:  # noqa: A002
        self.id, self.mpp, self._spec, self._files = id, spec.mpp, spec, files
        far = np.max(list(files), axis=0)
        self.size_px = (math.ceil(far[0] + spec.size_px / 2), math.ceil(far[1] + spec.size_px / 2))
        self.stored, self._hash = spec, ""

    def stored_xy(self) -> NDArray[np.float64]:
        """See `Slide.stored_xy`."""
        return np.array(list(self._files), np.float64)

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Return the tile centred on `xy` exactly as its file holds it.

        Raises
        ------
        InputError
            If no tile lies at `xy`, the spec is not the files' own, or a file is damaged.
        """
        if spec != self._spec:
            msg = f"{self.id}: ready-made tiles can be read only as {self._spec}, found {spec}: give the slide itself"
            raise InputError(msg)
        x, y = np.asarray(xy, np.float64).tolist()
        if (x, y) not in self._files:
            msg = f"{self.id}: a centre of one of its {len(self._files)} tiles expected, found ({x:g}, {y:g})"
            raise InputError(msg)
        pixels = open_pixels(self._files[x, y])
        pixels.require_visible()
        return pixels.region(0, (0, 0, spec.size_px, spec.size_px))

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """See `Slide.thumbnail`; white where there is no tile."""
        shrink = max(1.0, max(self.size_px) / max_size_px)
        width, height = (max(1, round(side / shrink)) for side in self.size_px)
        picture = Image.new("RGB", (width, height), "white")
        side = max(1, round(self._spec.size_px / shrink))
        for xy in self._files:
            tile = Image.fromarray(self.read(xy, self._spec)).resize((side, side), Image.Resampling.BILINEAR)
            left, top = (round((centre - self._spec.size_px / 2) / shrink) for centre in xy)
            picture.paste(tile, (left, top))
        return np.asarray(picture)

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`; over the bytes of every file and its place."""
        if not self._hash:
            digest = hashlib.sha256()
            for xy, path in sorted(self._files.items()):
                digest.update(repr(xy).encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
            self._hash = digest.hexdigest()
        return self._hash


@guarded("a folder of tile images")
def read_tiles(folder: Path | str, *, spec: TileSpec) -> Tiles:
    """Read a folder of tile images (PNG, JPEG or TIFF), each one tile of `spec`.

    Parameters
    ----------
    folder
        The folder; other kinds of files in it, and folders, are left alone.
    spec
        Size and scale of the files.

    Returns
    -------
    Tiles in the order of their names, which are the ids. Centres are taken from names that end in
    ``x123_y456`` or ``123x456`` (column, row, in pixels of `spec`) if all do; otherwise the tiles are laid side
    by side on a square, where distances mean nothing.

    Raises
    ------
    InputError
        If there is no tile, one is no image or of another size, or two have one place or one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        msg = f"a folder of tile images expected at {folder}, found none: check the path"
        raise InputError(msg)
    paths = [path for path in entries(folder) if path.suffix.lower() in _SUFFIXES and path.is_file()]
    if not paths:
        msg = f"tile images (.png, .jpg, .tif) expected in {folder}, found none: check the path"
        raise InputError(msg)
    for path in paths:
        size_px = open_pixels(path).sizes_px[0]
        if size_px != (spec.size_px, spec.size_px):
            msg = (
                f"{path}: a tile of {spec.size_px} by {spec.size_px} pixels expected, found {size_px[0]} by "
                f"{size_px[1]}: give the spec the tiles were cut with"
            )
            raise InputError(msg)
    centres = _centres(paths, spec)
    files = dict(zip(centres, paths, strict=True))
    slide = TileFolder(files, id=folder.resolve().name, spec=spec)
    return Tiles(slide=slide, xy=np.array(centres), ids=np.array([path.stem for path in paths]), spec=spec)


def _centres(paths: list[Path], spec: TileSpec) -> list[tuple[float, float]]:
    """Take the centres from the names if all have them, else lay the tiles out on a square grid."""
    for pattern in _NAMES:
        matches = [match for path in paths if (match := pattern.search(path.stem))]
        if len(matches) == len(paths):
            centres = [(float(match[1]), float(match[2])) for match in matches]
            taken: dict[tuple[float, float], Path] = {}
            for centre, path in zip(centres, paths, strict=True):
                if (other := taken.setdefault(centre, path)) != path:
                    msg = f"one tile per place expected, found {other.name} and {path.name} at one: remove one"
                    raise InputError(msg)
            return centres
    n_columns = math.ceil(math.sqrt(len(paths)))
    half = spec.size_px / 2
    return [(i % n_columns * spec.size_px + half, i // n_columns * spec.size_px + half) for i in range(len(paths))]
