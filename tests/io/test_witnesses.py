"""What places and scales a section, weighed against each other: every kind of disagreement, and none on what agrees."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.io.slides import ArraySlide
from mclstexp.io.witnesses import Evidence, Finding, Statement, StoredPicture, settle_mpp, tell, weigh

HIGH, WIDE = 600, 800
PITCH_PX = 50.0


def _picture(seed=0):
    """Blotchy tissue on glass, in no symmetry its own mirror."""
    rng = np.random.default_rng(seed)
    blotches = ndimage.gaussian_filter(rng.normal(size=(HIGH // 8, WIDE // 8)), 5)
    dark = np.kron((blotches > 0).astype(np.uint8), np.ones((8, 8), np.uint8))[..., None]
    return np.where(dark, np.array([150, 60, 130], np.uint8), np.uint8(240))


def _hexagonal(scale=1.0):
    row, k = (a.ravel() for a in np.meshgrid(np.arange(10), np.arange(12), indexing="ij"))
    xy = np.column_stack([60 + (2 * k + row % 2) * PITCH_PX / 2, 60 + row * PITCH_PX * np.sqrt(3) / 2])
    return xy * scale


def _square(step=PITCH_PX):
    return np.column_stack([a.ravel() for a in np.meshgrid(np.arange(9), np.arange(9))]) * step + 60.0


def _evidence(picture=None, **changes):
    """Two µm per pixel, so that 50 px are Visium's 100 µm; all witnesses agree."""
    picture = _picture() if picture is None else picture
    stored = np.asarray(Image.fromarray(_picture()).resize((WIDE // 2, HIGH // 2)))
    parts = {
        "slide": ArraySlide(np.ascontiguousarray(picture), mpp=2.0, id="s"),
        "xy": _hexagonal(),
        "scales": (Statement("the spots' spacing", 2.0, of_spots=True), Statement("the image's header", 2.02)),
        "spot_px": 0.65 * PITCH_PX,
        "visium": True,
        "pictures": (StoredPicture("hires", (WIDE // 2, HIGH // 2), 0.5, stored),),
    }
    return Evidence(**parts | changes)


def _said(evidence):
    return [f"{finding.kind}: {finding.text}" for finding in weigh(evidence)]


def _only(evidence, kind, *words):
    (said,) = _said(evidence)
    assert said.startswith(kind)
    for word in words:
        assert word in said, said


def test_witnesses_that_agree_say_nothing():
    assert _said(_evidence()) == []
    assert _said(_evidence(spot_px=0.55 * PITCH_PX)) == []
    assert _said(_evidence(xy=_square(), spot_px=PITCH_PX, visium=False, scales=())) == []


@pytest.mark.parametrize("factor", [0.5, 1.5, 2.0])
def test_an_image_of_another_size(factor):
    other = np.asarray(Image.fromarray(_picture()).resize((int(WIDE * factor), int(HIGH * factor))))
    _only(
        _evidence(other), "size", f"{WIDE * factor:.0f} by", "implies 800 by 600", f"it is {factor:g} times that size"
    )


def test_an_image_that_was_cropped_or_is_another():
    _only(_evidence(_picture()[:500, 40:]), "size", "760 by 500", "cropped")
    wide = np.asarray(Image.fromarray(_picture()).resize((1200, 500)))
    _only(_evidence(wide), "size", "another image")


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (lambda a: np.rot90(a, 2), "turned by 180°"),
        (lambda a: a[:, ::-1], "mirrored left to right"),
        (lambda a: a[::-1], "mirrored top to bottom"),
    ],
)
def test_a_turned_image_of_the_same_size(turn, words):
    _only(_evidence(turn(_picture())), "orientation", words)


def test_an_image_turned_by_a_right_angle():
    size, turned = _said(_evidence(np.rot90(_picture())))
    assert "600 by 800 pixels" in size
    assert "turned by a right angle" in size
    assert "turned by 90° counterclockwise" in turned


def test_the_picture_of_another_section_and_a_blank_one():
    _only(_evidence(_picture(seed=5)), "orientation", "looks unlike hires")
    blank = StoredPicture("hires", (WIDE // 2, HIGH // 2), 0.5, np.full((HIGH // 2, WIDE // 2, 3), 255, np.uint8))
    assert _said(_evidence(pictures=(blank,))) == []


def test_the_size_that_metadata_state():
    sizes = (("the metadata", (1600, 1200)),)
    _only(_evidence(pictures=(), sizes=sizes), "size", "the metadata says 1600 by 1200: it is 0.5 times that size")


def test_a_reduced_picture_read_on_purpose_is_of_the_right_size():
    small = np.asarray(Image.fromarray(_picture()).resize((WIDE // 2, HIGH // 2)))
    slide = ArraySlide(small, mpp=4.0, id="s")
    scales = (Statement("the spots' spacing", 4.0, of_spots=True),)
    evidence = _evidence(slide=slide, xy=_hexagonal(0.5), scales=scales, spot_px=0.325 * PITCH_PX, image_scale=0.5)
    assert _said(evidence) == []


def test_places_in_pixels_of_the_reduced_picture():
    scales = (Statement("the spots' spacing", 4.0, of_spots=True),)
    evidence = _evidence(xy=_hexagonal(0.5), scales=scales)
    _only(evidence, "spots", "32.5 px wide and lie 25 px apart", "pixels of hires (full resolution by 0.5)")
    by_header = (*scales, Statement("the image's header", 2.0))
    _only(_evidence(xy=_hexagonal(0.5), scales=by_header, spot_px=None), "scale", "4 µm", "2:", "pixels of hires")
    # both reduced, as one does by hand: they agree, only what is stored is of another size
    small = np.asarray(Image.fromarray(_picture()).resize((WIDE // 2, HIGH // 2)))
    slide = ArraySlide(small, mpp=4.0, id="s")
    assert _said(_evidence(slide=slide, xy=_hexagonal(0.5), scales=scales)) == []


def test_places_in_micrometres():
    scales = (Statement("uns['mpp']", 2.0), Statement("the spots' spacing", 1.0, of_spots=True))
    evidence = _evidence(xy=_hexagonal(2.0), scales=scales, spot_px=None, pictures=())
    _only(evidence, "scale", "uns['mpp'] says 2 µm per pixel, the spots' spacing 1", "places seem to be in µm")
    # without an array, the hexagons alone tell
    evidence = _evidence(xy=_hexagonal(2.0), scales=scales[:1], spot_px=None, pictures=(), visium=False)
    _only(evidence, "spots", "lie 200 µm apart at 2 µm per pixel", "Visium's 100 µm", "places seem to be in µm")


def test_scales_that_differ_name_what_settles_it():
    scales = (Statement("uns['mpp']", 1.0), Statement("the image's header", 2.0))
    evidence = _evidence(xy=_square(), scales=scales, spot_px=None, pictures=(), visium=False)
    with through("command"):
        _only(evidence, "scale", "uns['mpp'] says 1 µm per pixel, the image's header 2: 1 is used; --slide-mpp settles")
    given = (Statement("the given mpp", 1.0), Statement("the image's header", 2.0))
    (said,) = _said(_evidence(xy=_square(), scales=given, spot_px=None, pictures=(), visium=False))
    assert said.endswith("1 is used")


def test_spots_that_overlap():
    evidence = _evidence(xy=_square(), spot_px=70.0, visium=False)
    _only(evidence, "spots", "70 px wide but lie 50 px apart", "overlap")
    scales = (Statement("uns['mpp']", 1.0),)
    slide = ArraySlide(_picture(), mpp=1.0, id="s")
    evidence = _evidence(slide=slide, xy=_square(), scales=scales, spot_px=None, spot_um=100.0, visium=False)
    _only(evidence, "spots", "spots of 100 µm lie 50 µm apart at 1 µm per pixel")


def test_the_first_statement_counts_and_one_is_needed():
    assert settle_mpp([Statement("a", 0.5), Statement("b", 2.0)], where="s") == 0.5
    with pytest.raises(InputError, match=r"s: mpp unknown .*: give mpp=, or more"):
        settle_mpp([], where="s", hint=", or more")
    with pytest.raises(InputError, match=r"s: the given mpp must be a positive number of µm per pixel, found nan"):
        settle_mpp([Statement("the given mpp", float("nan"))], where="s")


def test_findings_warn_and_the_hopeless_refuse():
    with pytest.warns(UserWarning, match=r"^s: small$"):
        tell([Finding("scale", "small")], where="s")
    with pytest.raises(InputError, match=r"^s: grave$"):
        tell([Finding("scale", "small"), Finding("outside", "grave", refused=True)], where="s")
