"""Where a slide shows tissue: `find_tissue`, from a thumbnail."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import shapely
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import find_contours

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.regions import Regions

Picture = Float[np.ndarray, "3 rows columns"]
Plane = Float[np.ndarray, "rows columns"]
Mask = Bool[np.ndarray, "rows columns"]

_PIXEL_UM: Final = 8.0  # a cell: fine enough for an outline, coarse enough that nuclei and their gaps melt together
_LARGEST_PX: Final = 3072  # 25 mm at 8 µm, the width of a glass slide; what is longer is looked at more coarsely
_SMOOTH_UM: Final = 16.0  # bridges gaps between fibres and the membranes of fat cells
# Otsu's threshold always cuts in two: kept within these a blank slide stays blank and one full of tissue stays whole.
# H&E at 8 µm has a saturation of 0.1 to 0.6, glass (once its tint is divided out) one below 0.03.
_SATURATION: Final = (0.04, 0.1)
_GAP_UM: Final = 24.0  # gaps in membranes that are closed, and the half width of hairs that are cut
_INK_UM: Final = 64.0  # how far the frayed edge of a pen stroke reaches
_SMALLEST_INK_UM2: Final = 20_000.0  # a stroke is far larger, single dark-blue nuclei and pigment are smaller


def find_tissue(slide: Slide, *, smallest_um2: float = 50_000.0, largest_hole_um2: float = 50_000.0) -> Regions:
    """Outline the stained tissue on a slide.

    On a thumbnail of 8 µm per pixel: the glass's tint is divided out, and what is saturated beyond Otsu's threshold
    [1]_ is tissue, less pen marks, black borders and pale films of stain, which pool beside frozen sections. Ink is
    told by physics: both haematoxylin and eosin absorb green most, at any thickness [2]_; what absorbs red more than
    green is no H&E.

    Parameters
    ----------
    slide
        The slide; only a thumbnail of at most 3072 pixels is read.
    smallest_um2
        Pieces below this area (µm²) are debris, dust or fiducial marks. By default four tiles of 112 µm: a blob 250 µm
        across, less than a biopsy's fragment worth a prediction.
    largest_hole_um2
        Holes up to this area (µm²) belong to the tissue: vessels, glands, fat cells.

    Returns
    -------
    Regions in level-0 pixels, holes kept, largest first, named "1", "2", ….

    Raises
    ------
    InputError
        If there is no tissue.

    References
    ----------
    .. [1] Otsu (1979), A threshold selection method from gray-level histograms, IEEE Trans. Syst. Man Cybern. 9.
    .. [2] Ruifrok & Johnston (2001), Quantification of histochemical staining by color deconvolution: optical density
       of haematoxylin (red, green, blue) 0.65, 0.70, 0.29 and of eosin 0.07, 0.99, 0.11.
    """
    side_px = math.ceil(max(slide.size_px) * slide.mpp / _PIXEL_UM)
    thumbnail = slide.thumbnail(min(max(side_px, 1), _LARGEST_PX))
    scale = np.array(slide.size_px) / thumbnail.shape[1::-1]  # level-0 pixels per pixel, (columns, rows)
    pixel_um = slide.mpp * float(np.sqrt(scale.prod()))
    sizes_px = {"smallest_px": smallest_um2 / pixel_um**2, "largest_hole_px": largest_hole_um2 / pixel_um**2}
    mask, coloured = _tissue(thumbnail, pixel_um, **sizes_px)
    polygons = _outline(mask, scale, size_px=slide.size_px)
    if not polygons:
        msg = (
            f"{slide.id}: stained tissue (a coloured piece of {smallest_um2:g} µm² or more) expected, found colour "
            f"other than ink on {coloured:.1%} of the slide: check it or give the tissue as GeoJSON ({word('mask')})"
        )
        raise InputError(msg)
    return Regions(polygons, tuple(str(number) for number in range(1, len(polygons) + 1)))


def is_blank(tile: UInt8[np.ndarray, "rows columns 3"]) -> bool:
    """Whether a tile shows bright, colourless glass and nothing else, but for a hundredth of its pixels."""
    picture = np.moveaxis(tile, 2, 0).astype(np.float32) / np.float32(255)
    bare = (_saturation(picture) < _SATURATION[0]) & (picture.min(axis=0) > 0.74)
    return bool(bare.mean() >= 0.99)


def _tissue(
    thumbnail: UInt8[np.ndarray, "rows columns 3"], pixel_um: float, *, smallest_px: float, largest_hole_px: float
) -> tuple[Mask, float]:
    """Return the mask of the tissue, and the share of coloured pixels."""
    picture = np.ascontiguousarray(np.moveaxis(thumbnail, 2, 0), dtype=np.float32) / np.float32(255)
    picture = np.minimum(picture / _glass(picture)[:, None, None], 1)
    ink = _ink(_blurred(picture, 0.5 * _SMOOTH_UM / pixel_um), pixel_um)
    smooth = _blurred(picture, _SMOOTH_UM / pixel_um)
    coloured = _coloured(smooth, ink)
    dense = coloured & ~_film(picture[1], smooth[1], coloured=coloured, pixel_um=pixel_um)
    seeds = _pieces(_filled(dense, largest_hole_px), smallest_px)
    lace = _lace(picture, pixel_um) & ~ink
    mask = _joined(seeds, _filled(dense | lace, largest_hole_px), pixel_um=pixel_um)
    return _pieces(_filled(mask, largest_hole_px) & ~ink, smallest_px), float(coloured.mean())


def _glass(picture: Picture) -> Float[np.ndarray, " 3"]:
    """Return the commonest colour among smooth bright pixels; white where there are none.

    Glass differs by lamp, camera and mounting medium, and a pinkish one has the saturation of pale tissue. Tissue is
    not smooth; pure white is padding by a program.
    """
    green = _blurred(picture[1], 1)
    texture = _blurred(np.abs(np.diff(green, axis=0, prepend=green[:1])), 2)
    low, high = picture.min(axis=0), picture.max(axis=0)
    is_glass = (low > 0.74) & (low < 0.99) & (high - low < 0.1) & (texture < 0.008)
    if is_glass.mean() < 0.01:
        return np.ones(3, np.float32)
    colours = picture[:, is_glass].T
    bins = (colours * 63).astype(int)
    common = np.bincount(bins @ [4096, 64, 1]).argmax()
    near = np.abs(bins - [common // 4096, common // 64 % 64, common % 64]).max(axis=1) <= 1
    return colours[near].mean(axis=0)


def _ink(picture: Picture, pixel_um: float) -> Mask:
    """Find pen marks and black borders; what is too small for either is tissue (blood, pigment, folds)."""
    density = -np.log(np.maximum(picture, 1 / 255))
    red, green, blue = density
    # thickness cancels in a ratio of densities; the bluest nuclei come near 0.85, a blue pen has 0.7, a green one 0.3
    cold = ((green < 0.85 * red) & (red > 0.1)) | ((green < 0.95 * red) & (red > 1.2))
    # eosin and blood let blue through, or are not as deep as a red pen, which passes red alone
    hot = (blue > 0.7 * green) & (green - red > 1.4)
    brightest = picture.max(axis=0)
    black = (brightest < 0.15) | ((brightest < 0.4) & (brightest - picture.min(axis=0) < 0.08))
    marks = _pieces(cold | hot | black, _SMALLEST_INK_UM2 / pixel_um**2)
    # where a stroke crosses tissue their densities add up, to more than that of tissue alone
    marks = _touching(marks | (red > 1.2) | (green > 2), marks)
    return _grown(marks, _INK_UM / pixel_um)


def _coloured(smooth: Picture, ink: Mask) -> Mask:
    """Cut saturation by Otsu's threshold, held within what H&E can be."""
    saturation = _saturation(smooth)
    if ink.all():
        return ~ink
    return (saturation > np.clip(threshold_otsu(saturation[~ink]), *_SATURATION)) & ~ink


def _film(green: Plane, smooth: Plane, *, coloured: Mask, pixel_um: float) -> Mask:
    """Find stain without tissue: far paler than the slide's tissue and without its texture.

    Both are measured against the slide's own tissue, so that a section that is pale all over is kept.
    """
    if not coloured.any():
        return coloured
    density = -np.log(np.maximum(smooth, 1 / 255))
    sigma = 1.5 * _SMOOTH_UM / pixel_um
    texture = _texture(green, sigma)
    pale = coloured & (density < 0.45 * np.percentile(density[coloured], 75))
    film = pale & (texture < 0.25 * np.percentile(texture[coloured], 75))
    # beside tissue the window sees its edge: the film goes on as far as the window reaches
    return pale & _grown(film, 3 * sigma)


def _lace(picture: Picture, pixel_um: float) -> Mask:
    """Find the membranes of fat cells: faint lines on glass, which smoothing wipes out."""
    saturation = _saturation(_blurred(picture, 0.25 * _SMOOTH_UM / pixel_um))
    lines = (saturation > 0.03) & (_texture(picture[1], 0.5 * _SMOOTH_UM / pixel_um) > 0.03)
    return ~_grown(~_grown(lines, _GAP_UM / pixel_um), _GAP_UM / pixel_um)


def _joined(seeds: Mask, mask: Mask, *, pixel_um: float) -> Mask:
    """Keep what hangs together with the seeds by more than a hair."""
    broad = _grown(~_grown(~mask, _GAP_UM / pixel_um), _GAP_UM / pixel_um)
    return _touching(broad | seeds, seeds)


def _touching(mask: Mask, seeds: Mask) -> Mask:
    """Keep the connected pieces in which a seed lies."""
    label, _ = ndimage.label(mask)
    kept = np.bincount(label.ravel(), weights=seeds.ravel()) > 0
    kept[0] = False
    return kept[label]


def _texture(plane: Plane, sigma: float) -> Plane:
    """Return the standard deviation around each pixel."""
    mean = _blurred(plane, sigma)
    return np.sqrt(np.maximum(_blurred(plane**2, sigma) - mean**2, 0))


def _saturation(picture: Picture) -> Plane:
    """Return the S of HSV: how far the least channel is from the largest, between 0 and 1."""
    return 1 - picture.min(axis=0) / np.maximum(picture.max(axis=0), np.float32(1 / 255))


def _blurred(
    picture: Float[np.ndarray, "*planes rows columns"], sigma: float
) -> Float[np.ndarray, "*planes rows columns"]:
    return gaussian(picture, sigma, channel_axis=0 if picture.ndim == 3 else None)


def _grown(mask: Mask, by_px: float) -> Mask:
    return ndimage.maximum_filter(mask, 2 * round(by_px) + 1)


def _filled(mask: Mask, largest_px: float) -> Mask:
    return ~_pieces(~mask, largest_px)


def _pieces(mask: Mask, smallest_px: float) -> Mask:
    """Keep the connected pieces of at least `smallest_px` pixels."""
    label, _ = ndimage.label(mask)
    large = np.bincount(label.ravel()) >= smallest_px
    large[0] = False
    return large[label]


def _outline(mask: Mask, scale: Float[np.ndarray, " 2"], *, size_px: tuple[int, int]) -> tuple[shapely.Polygon, ...]:
    """Return the mask's outlines, holes inside, in level-0 pixels and largest first."""
    # the edge pixels once more: an outline that runs outside and is cut there leaves no corner out
    padded = np.pad(np.pad(mask, 1, mode="edge"), 1).astype(np.float32)
    rings = [shapely.LinearRing(ring[:, ::-1] - 1.5) for ring in find_contours(padded, 0.5)]
    area = shapely.build_area(shapely.GeometryCollection(rings))  # a ring within a ring is a hole
    area = shapely.make_valid(shapely.simplify(area, 1.0))
    area = shapely.transform(area, lambda xy: np.round(xy * scale, 1))
    area = shapely.intersection(shapely.make_valid(area), shapely.box(0, 0, *size_px))
    parts = shapely.get_parts(shapely.get_parts(area))  # twice: what was mended may be a collection of multipolygons
    polygons = [part for part in parts if part.geom_type == "Polygon" and part.area > scale.prod()]
    return tuple(sorted(polygons, key=lambda polygon: -polygon.area))
