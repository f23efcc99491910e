"""Space Ranger's files of one section, wherever they lie: counts, positions, scale factors, reduced pictures, image."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.io import tenx
from mclstexp.io.bounds import check_gzip
from mclstexp.io.entries import entries
from mclstexp.io.guard import first_of, reading
from mclstexp.io.tenx_positions import POSITION_FILES
from mclstexp.io.unasked import counts_are_asked
from mclstexp.io.witnesses import StoredPicture

IMAGE_SUFFIXES: Final = (".tif", ".tiff", ".btf", ".svs", ".ndpi", ".jpg", ".jpeg", ".png")
SCALED_IMAGES: Final = {"tissue_hires_image": "tissue_hires_scalef", "tissue_lowres_image": "tissue_lowres_scalef"}
"""Space Ranger's reduced images and the scale factor that leads to each."""
_NOT_TISSUE: Final = ("cytassist", "aligned_", "detected_", "tissue_hires_image", "tissue_lowres_image")


@dataclass(frozen=True)
class Files:
    """The files of one section."""

    name: str
    """Name of the section."""
    positions: Path
    """Tissue positions."""
    matrix: Path | tenx.Trio
    """Counts."""
    factors: Path | None
    """``scalefactors_json.json``; None where there is none."""
    pictures: Mapping[str, Path] = field(default_factory=dict)
    """Reduced pictures by name, as in `SCALED_IMAGES`."""
    images: tuple[Path, ...] = ()
    """What may be the full-resolution image."""
    where: Path = Path()
    """Where they lie, for messages."""
    cytassist: bool = False
    """Whether a CytAssist laid the array on the tissue."""

    def scalefactors(self) -> dict[str, Any]:
        """Read the scale factors; empty where there is no such file."""
        return {} if self.factors is None else tenx.read_scalefactors(self.factors)


def root_of(path: Path) -> Path:
    """Return the ``outs`` folder in a sample's folder, or the folder itself."""
    return path / "outs" if (path / "outs").is_dir() else path


def sample_name(root: Path) -> str:
    """Return the sample's name: that of the folder around ``outs``; a link's own name, not its target's."""
    root = root.absolute()
    if root.name in ("", "..", "."):
        root = root.resolve()
    return root.parent.name if root.name == "outs" else root.name


def image_folders(root: Path) -> list[Path]:
    """Return where a sample's image may lie: beside the output, or beside ``outs``."""
    return [root, root.absolute().parent] if root.absolute().name == "outs" else [root]


def images_in(folder: Path) -> list[Path]:
    """List what may be a full-resolution image of tissue."""
    return [path for path in entries(folder) if may_be_tissue(path.name) and path.is_file()]


def may_be_tissue(name: str) -> bool:
    """Whether a file's name is that of an image which is none of Space Ranger's reduced or drawn ones."""
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) and not lower.startswith((".", *_NOT_TISSUE))


def pictures_in(spatial: Path) -> dict[str, Path]:
    """Find Space Ranger's reduced pictures."""
    names = {stem: [spatial / f"{stem}{ending}" for ending in (".png", ".png.gz", ".jpg")] for stem in SCALED_IMAGES}
    found = {stem: next((path for path in paths if path.is_file()), None) for stem, paths in names.items()}
    return {stem: path for stem, path in found.items() if path is not None}


def first_scalefactors(spatial: Path) -> Path | None:
    """Find the scale factors, plain or gzipped."""
    return next((spatial / name for name in tenx.SCALE_FILES if (spatial / name).is_file()), None)


def has_positions(spatial: Path) -> bool:
    """Whether a folder holds tissue positions in any of their forms."""
    return any((spatial / name).is_file() for name in POSITION_FILES)


def find_matrix(folder: Path, names: Sequence[str]) -> Path:
    """Find the count matrix, the best first.

    Raises
    ------
    InputError
        If there is none, or only a packed one; not where counts are not asked for (`places_alone`).
    """
    if not counts_are_asked():
        return folder / names[0]
    try:
        return first_of(folder, names, what="count matrix")
    except InputError:
        packed = next((path for name in names for path in folder.glob(f"{name}.gz") if path.is_file()), None)
        if packed is None:
            raise
    msg = f"count matrix expected in {folder}, found it packed ({packed.name}): unpack it with gunzip"
    raise InputError(msg)


def find_image(files: Files, image: Path | str | None) -> tuple[Path, float]:
    """Return the image to read and the factor that leads from full-resolution pixels to its pixels.

    Parameters
    ----------
    files
        The section's files; scale factors are read only for Space Ranger's reduced images.
    image
        The path given by the caller.

    Raises
    ------
    InputError
        If there is no image, several could be meant, or the scale factor is missing.
    """
    if image is None:
        return _only_image(files.images, files), 1.0
    picture = Path(image)
    if not picture.is_file():
        msg = f"{files.name}: an image expected at {picture}, found no such file: check {word('image')}"
        raise InputError(msg)
    factor = next((key for stem, key in SCALED_IMAGES.items() if picture.stem.endswith(stem)), None)
    if factor is None:
        return picture, 1.0
    scale = files.scalefactors().get(factor)
    if not isinstance(scale, int | float) or not scale > 0:
        listed = files.factors or files.where
        msg = f"{files.name}: a positive {factor} expected in {listed}, found {scale!r}: give the full-resolution image"
        raise InputError(msg + " instead")
    return picture, float(scale)


def stored_pictures(files: Files, factors: Mapping[str, Any]) -> tuple[StoredPicture, ...]:
    """Read the reduced pictures whose scale factor is known; one that cannot be read is said and passed over."""
    found = []
    for stem, path in files.pictures.items():
        scale = factors.get(SCALED_IMAGES[stem])
        if isinstance(scale, int | float) and scale > 0:
            try:
                with reading(path, "a reduced picture"):
                    check_gzip(path)
                    content = path.read_bytes()
                    content = gzip.decompress(content) if path.suffix == ".gz" else content
                    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            except InputError as error:
                warnings.warn(f"{files.name}: the image is not compared with {path.name} ({error})", stacklevel=2)
                continue
            size = (pixels.shape[1], pixels.shape[0])
            found.append(StoredPicture(path.name, size, float(scale), pixels))
    return tuple(found)


def _only_image(candidates: Sequence[Path], files: Files) -> Path:
    for folder in dict.fromkeys(path.parent for path in candidates):
        found = [path for path in candidates if path.parent == folder]
        named = [path for path in found if path.stem.lower().endswith("image")]
        found = named if len(named) == 1 else found
        if len(found) == 1:
            return found[0]
        listed = ", ".join(path.name for path in found[:4])
        msg = f"{files.name}: one full-resolution image expected in {folder}, found {len(found)} ({listed}): "
        raise InputError(msg + f"give {word('image')}")
    packed = (
        [path.name for path in files.where.glob("*.gz") if may_be_tissue(path.stem)] if files.where.is_dir() else []
    )
    if packed:
        msg = f"{files.name}: the full-resolution image expected in {files.where}, found it packed ({packed[0]}): "
        raise InputError(msg + "unpack it with gunzip")
    msg = (
        f"{files.name}: the full-resolution image that Space Ranger was run on expected beside its output, found none "
        f"in {files.where}: give {word('image')} (tissue_hires_image.png is read only if named)"
    )
    raise InputError(msg)
