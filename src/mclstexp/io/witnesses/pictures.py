"""The image against the reduced pictures of it that the data hold: size, turns, mirrors, another picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image

from mclstexp.core.doors import word
from mclstexp.io.witnesses.evidence import Evidence, Finding
from mclstexp.io.witnesses.thumbnails import thumbnail

_SIDE_PX: Final = 96
"""Longer side at which pictures are compared: nuclei are gone, the outline of the tissue is there."""
_LIKE: Final = 0.5
"""Correlation above which two pictures show the same; of one picture reduced twice it is near 1."""
_LEAD: Final = 0.15
"""By how much a turned picture must be more alike than the picture as it is."""
_TURNS: Final[dict[str, Callable[[NDArray], NDArray]]] = {
    "as it is": lambda a: a,
    "turned by 90° clockwise": lambda a: np.rot90(a, -1),
    "turned by 180°": lambda a: np.rot90(a, 2),
    "turned by 90° counterclockwise": lambda a: np.rot90(a, 1),
    "mirrored left to right": lambda a: a[:, ::-1],
    "mirrored top to bottom": lambda a: a[::-1],
    "mirrored along its diagonal": lambda a: np.swapaxes(a, 0, 1),
    "mirrored along its other diagonal": lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
}


def size_factor(evidence: Evidence) -> float | None:
    """Return how many times larger the image is than the data state, if its sides say one number."""
    for _, size in _stated(evidence):
        across, down = (have / want for have, want in zip(evidence.slide.size_px, size, strict=True))
        if abs(across / down - 1) < 0.03:
            return float((across * down) ** 0.5)
    return None


def size_findings(evidence: Evidence) -> list[Finding]:
    """Compare the image's size with what pictures and metadata imply; one finding at most, all sources in it."""
    width, height = evidence.slide.size_px
    wrong = [
        (source, size) for source, size in _stated(evidence) if not _same_size((width, height), size, evidence, source)
    ]
    if not wrong:
        return []
    source, (wide, high) = wrong[0]
    across, down = width / wide, height / high
    if _same_size((height, width), (wide, high), evidence, source):
        seems = "it seems turned by a right angle"
    elif abs(across / down - 1) < 0.03:
        seems = f"it is {across:.3g} times that size"
    elif across < 1.02 and down < 1.02:
        seems = "it seems cropped"
    else:
        seems = "it seems to be another image"
    text = f"the image has {width} by {height} pixels, {source} {wide:.0f} by {high:.0f}: {seems}; "
    return [Finding("size", text + _use_right_image())]


def orientation_findings(evidence: Evidence) -> list[Finding]:
    """Compare the image with the largest stored picture in all eight turns and mirrors."""
    stored = max(
        (picture for picture in evidence.pictures if picture.pixels is not None),
        key=lambda picture: picture.size_px,
        default=None,
    )
    if stored is None or stored.pixels is None:
        return []
    image, picture = _ink(thumbnail(evidence.slide)), stored.pixels
    alike = {name: _alike(image, turn(_ink(picture))) for name, turn in _TURNS.items()}
    if np.isnan(alike["as it is"]):
        return []  # one of them is blank
    best = max(alike, key=lambda name: alike[name])
    as_is = abs(alike["as it is"])  # fluorescence is dark where H&E is bright
    if alike[best] > _LIKE and alike[best] > as_is + _LEAD:
        text = f"the image shows {stored.name} {best} (correlation {alike[best]:.2f}, as it is {alike['as it is']:.2f})"
        return [Finding("orientation", f"{text}: {_use_right_image()}")]
    if as_is > 0 and max(as_is, alike[best]) < _LIKE:
        text = f"the image looks unlike {stored.name} (correlation {alike['as it is']:.2f}): check that it is of this"
        return [Finding("orientation", f"{text} section, or {_use_right_image()}")]
    return _colour_findings(evidence, picture, name=stored.name)


def _colour_findings(evidence: Evidence, picture: NDArray[np.uint8], *, name: str) -> list[Finding]:
    """Say where red and blue of the image are those of a stored picture exchanged."""
    alike = _alike(_red_over_blue(thumbnail(evidence.slide)), _red_over_blue(picture))
    if not alike < -_LIKE:
        return []
    text = f"the image shows {name} with red and blue exchanged (correlation of their difference {alike:.2f})"
    return [Finding("colour", f"{text}: save it with its colours as red, green, blue")]


def _stated(evidence: Evidence) -> list[tuple[str, tuple[float, float]]]:
    """Who says how large the image is, in its own pixels."""
    by_picture = []
    for picture in evidence.pictures:
        wide, high = picture.size_px
        size = (wide / picture.scale, high / picture.scale)
        by_picture.append((f"{picture.name} ({wide} by {high}, scale factor {picture.scale:.4g}) implies", size))
    stated = [*by_picture, *((f"{source} says", size) for source, size in evidence.sizes)]
    factor = evidence.image_scale
    return [(source, (size[0] * factor, size[1] * factor)) for source, size in stated]


def _same_size(have: tuple[int, int], want: tuple[float, float], evidence: Evidence, source: str) -> bool:
    scale = next((p.scale for p in evidence.pictures if source.startswith(p.name)), 1.0)
    # a reduced picture's sides are whole pixels of its own; a percent is what crops of black rims take
    slack = 1.5 / scale * evidence.image_scale
    return all(abs(a - b) <= max(slack, 0.01 * b) for a, b in zip(have, want, strict=True))


def _use_right_image() -> str:
    return f"give the image that the places were measured on ({word('image')})"


def _ink(picture: NDArray[np.uint8]) -> Float[np.ndarray, "rows columns"]:
    """Reduce a picture to how dark it is in its darkest colour, where stain shows most."""
    return 255.0 - _small(picture).min(axis=2)


def _red_over_blue(picture: NDArray[np.uint8]) -> Float[np.ndarray, "rows columns"]:
    small = _small(picture)
    return small[..., 0] - small[..., 2]


def _small(picture: NDArray[np.uint8]) -> Float[np.ndarray, "rows columns 3"]:
    shrink = max(1.0, max(picture.shape[:2]) / _SIDE_PX)
    size = (max(1, round(picture.shape[1] / shrink)), max(1, round(picture.shape[0] / shrink)))
    small = Image.fromarray(np.ascontiguousarray(picture[..., :3])).resize(size, Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def _alike(image: Float[np.ndarray, "rows columns"], picture: Float[np.ndarray, "r c"]) -> float:
    """Correlate two pictures brought to one size; 0 where their shapes differ, NaN where one is blank."""
    ratio = (image.shape[0] / image.shape[1]) / (picture.shape[0] / picture.shape[1])
    if abs(ratio - 1) > 0.06:
        return 0.0
    size = (image.shape[1], image.shape[0])
    other = np.asarray(Image.fromarray(picture.astype(np.float32)).resize(size, Image.Resampling.BOX), np.float64)
    if image.std() < 2 or other.std() < 2:
        return float("nan")
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1])
