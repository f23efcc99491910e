"""Tissue is found; glass, ink, borders and stain beside it are not."""

from functools import cache

import numpy as np
import pytest
import shapely
from scipy import ndimage

import mclstexp as mx
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.data.tissue import find_tissue
from mclstexp.io.slides import ArraySlide
from mclstexp.io.synthetic import make_sections

GLASS = np.array([243, 240, 243])
SIDE = 300  # pixels of 8 µm
INK = {
    "green": (30, 140, 70),
    "blue": (35, 60, 160),
    "navy": (30, 40, 120),
    "black": (28, 26, 30),
    "red": (205, 30, 45),
}


@cache
def _stain():
    """(300, 300, 3) optical densities of tissue: nuclei of haematoxylin in eosin."""
    rng = np.random.default_rng(0)
    haematoxylin, eosin = (ndimage.gaussian_filter(rng.random((SIDE, SIDE)), 1) for _ in range(2))
    return haematoxylin[..., None] * [0.65, 0.70, 0.29] + eosin[..., None] * [0.07, 0.99, 0.11]


def _disc(x, y, radius, side=SIDE):
    rows, columns = np.mgrid[:side, :side] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def _picture(tissue, *, glass=GLASS, strength=1.0):
    noise = np.random.default_rng(1).normal(0, 1.5, (*tissue.shape, 3))
    return glass * np.exp(-strength * _stain() * tissue[..., None]) + noise


def _slide(picture, *, mpp=8.0):
    return ArraySlide(picture.round().clip(0, 255).astype(np.uint8), mpp=mpp, id="s1")


def _overlap(regions, mask):
    """Intersection over union of regions and a mask on the same pixels."""
    columns, rows = np.meshgrid(np.arange(mask.shape[1]) + 0.5, np.arange(mask.shape[0]) + 0.5)
    found = regions.locate(np.column_stack([columns.ravel(), rows.ravel()])).reshape(mask.shape) >= 0
    return (found & mask).sum() / (found | mask).sum()


TISSUE = _disc(150, 150, 70) | _disc(60, 240, 30)


@pytest.mark.parametrize("glass", [(255, 255, 255), GLASS, (235, 218, 234), (214, 210, 214), (245, 243, 230)])
def test_tissue_is_outlined_on_any_glass(glass):
    regions = find_tissue(_slide(_picture(TISSUE, glass=np.array(glass))))
    assert regions.names == ("1", "2")
    assert regions.polygons[0].area > 4 * regions.polygons[1].area
    assert _overlap(regions, TISSUE) > 0.93


def test_places_are_level_0_pixels():
    fine = _picture(TISSUE).repeat(4, axis=0).repeat(4, axis=1)[:-7, :-3]
    regions = find_tissue(_slide(fine, mpp=2.0))
    assert _overlap(regions, TISSUE.repeat(4, axis=0).repeat(4, axis=1)[:-7, :-3]) > 0.93


def test_tissue_reaches_to_the_edge_and_not_beyond():
    regions = find_tissue(_slide(_picture(_disc(0, 0, 150))))
    assert regions.polygons[0].bounds[:2] == (0, 0)
    assert shapely.box(0, 0, SIDE, SIDE).covers(regions.polygons[0])


def test_pale_tissue_is_found():
    assert _overlap(find_tissue(_slide(_picture(TISSUE, strength=0.25))), TISSUE) > 0.9


def test_a_slide_full_of_tissue_stays_whole():
    halves = np.where(np.arange(SIDE) < 150, 0.6, 1.6)[:, None]
    regions = find_tissue(_slide(_picture(np.ones((SIDE, SIDE)) * halves)))
    assert len(regions) == 1
    assert regions.polygons[0].equals(shapely.box(0, 0, SIDE, SIDE))


@pytest.mark.parametrize(
    "picture",
    [
        np.full((200, 200, 3), 255.0),
        np.zeros((200, 200, 3)),
        np.random.default_rng(0).normal(205, 12, (200, 200, 3)),
        np.random.default_rng(0).normal((235, 215, 232), 6, (200, 200, 3)),
        np.linspace(GLASS, GLASS - 30, 200)[:, None].repeat(200, axis=1),
    ],
    ids=["white", "black", "grey noise", "tinted noise", "vignette"],
)
def test_a_blank_slide_has_no_tissue(picture):
    with pytest.raises(
        InputError, match=r"s1: stained tissue .* expected, found colour .* on 0.0% of .*mask="
    ) as caught:
        find_tissue(_slide(picture))
    assert "\n" not in str(caught.value)


def test_a_slide_covered_with_ink_has_no_tissue():
    with pytest.raises(InputError, match="stained tissue"):
        find_tissue(_slide(np.tile([30.0, 140, 70], (100, 100, 1))))


def test_debris_goes_and_small_holes_fill_by_area():
    ring = _disc(150, 150, 90) & ~_disc(120, 150, 10) & ~_disc(180, 150, 30)
    picture = _picture(ring | _disc(40, 40, 9))  # π 9² pixels of 64 µm² are 16,000 µm²
    usual = find_tissue(_slide(picture))
    assert len(usual) == 1
    assert [round(shapely.Polygon(hole).area / 900) for hole in usual.polygons[0].interiors] == [3]
    strict = find_tissue(_slide(picture), smallest_um2=5_000, largest_hole_um2=5_000)
    assert len(strict) == 2
    assert len(strict.polygons[0].interiors) == 2


@pytest.mark.parametrize("colour", INK)
def test_ink_is_no_tissue_beside_it_nor_over_it(colour):
    picture = _picture(TISSUE)
    beside, over = np.zeros((2, SIDE, SIDE), bool)
    beside[20:32, 20:280], beside[20:160, 270:282], over[148:160, 100:282] = True, True, True
    for stroke in (beside, over):
        picture = np.where(stroke[..., None], picture * np.array(INK[colour]) / 255, picture)
    regions = find_tissue(_slide(picture))
    stroke = beside | over
    inked = np.argwhere(stroke)[:, ::-1] + 0.5
    assert (regions.locate(inked) < 0).all()
    far = ndimage.distance_transform_edt(~stroke) > 12
    assert _overlap(regions, TISSUE & far) > 0.85


def test_blood_folds_and_pigment_are_tissue():
    picture = _picture(TISSUE)
    blood, fold, pigment = _disc(150, 180, 20), np.zeros_like(TISSUE), _disc(170, 120, 6)
    fold[100:200, 115:123] = True
    noise = np.random.default_rng(2).normal(0, 8, picture.shape)
    picture = np.where(blood[..., None], np.array([190, 62, 82]) + noise, picture)
    picture = np.where(fold[..., None], GLASS * np.exp(-3.5 * _stain()), picture)
    picture = np.where(pigment[..., None], np.array([40, 25, 20]) + noise / 4, picture)
    assert _overlap(find_tissue(_slide(picture)), TISSUE) > 0.93


@pytest.mark.parametrize("border", [(0, 0, 0), (12, 6, 14), (255, 255, 255), (128, 128, 128)])
def test_borders_and_padding_are_no_tissue(border):
    picture, mask = np.tile(np.array(border, float), (400, 420, 1)), np.zeros((400, 420), bool)
    picture[50:350, 60:360], mask[50:350, 60:360] = _picture(TISSUE, glass=np.array([235, 218, 234])), TISSUE
    assert _overlap(find_tissue(_slide(picture)), mask) > 0.92


def test_stain_pooled_beside_tissue_is_no_tissue():
    film = np.exp(-(((np.arange(SIDE) - 230) / 40.0) ** 2))[:, None, None] * 0.15 * np.array([0.07, 0.99, 0.3])
    picture = _picture(_disc(150, 130, 70)) * np.exp(-film)
    assert _overlap(find_tissue(_slide(picture)), _disc(150, 130, 70)) > 0.9


def test_fat_beside_tissue_is_tissue():
    section = make_sections(1, n_spots_side=12, mpp=2)[0]
    inside = find_tissue(section.tiles.slide).locate(section.tiles.xy) >= 0
    assert inside.mean() > 0.98


@pytest.mark.slow
@pytest.mark.data
def test_measured_spots_lie_in_tissue(data_dir):
    for place, asked in (("her2st", {"format": "her2st", "sections": ["C3"]}), ("mob_st", {"format": "st_folder"})):
        section = mx.read_sections(data_dir / place, spec=TileSpec(224, 0.5), **asked)[0]
        regions = find_tissue(section.tiles.slide)
        assert (regions.locate(section.tiles.xy) >= 0).mean() > 0.98
        assert regions.area_um2(section.tiles.slide.mpp) < 12e6  # of 40 mm²: not everything
