"""Things show themselves in a line, and in a notebook with a picture; usual slips are answered in a sentence."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import mclstexp as mx
from mclstexp.core.display import html_of, png
from mclstexp.core.errors import InputError
from mclstexp.core.options import with_options
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_patient
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


@pytest.fixture(scope="module")
def fitted(sections):
    return mx.create("mean").fit(sections)


def test_a_section_is_one_line(sections):
    section = sections[0]
    said = repr(section)
    assert "\n" not in said
    assert len(said) < 160
    for part in (section.id, str(section.patient), f"{len(section)} spots", "µm/px"):
        assert part in said


def test_tiles_and_slides_are_one_line(sections):
    tiles = sections[0].tiles
    assert repr(tiles) == f"Tiles of {tiles.slide.id}: {len(tiles)} places, each {tiles.spec}"
    width, height = tiles.slide.size_px
    assert repr(tiles.slide).endswith(f"{width} × {height} px at {tiles.slide.mpp:g} µm/px")  # noqa: RUF001
    assert str(TileSpec(224, 0.5)) == "224 px at 0.5 µm/px (112 µm)"


def test_a_fold_says_who_teaches_and_who_is_asked(sections):
    fold = folds_by_patient(sections)[0]
    assert repr(fold).startswith(f"Fold {fold.name}: learns from 2 sections of ")
    assert repr(fold).endswith(f"is tested on 1 section of {fold.test[0].patient}")
    assert fold.test[0].id in fold._repr_html_()


def test_a_fitted_model_prints_other_than_an_unfitted_one(sections, fitted):
    assert repr(mx.create("mean")) == "mean()"
    assert repr(mx.create("ridge", alpha=3)) == "ridge(alpha=3.0)"
    assert repr(fitted).startswith("mean(): fitted on 3 sections of 3 patients (")
    assert f"{len(fitted.genes_)} genes" in repr(fitted)
    assert "not fitted" in mx.create("mean")._repr_html_()
    assert "fitted on 3 sections" in fitted._repr_html_()


def test_a_notebook_shows_the_tissue(sections):
    html = sections[0]._repr_html_()
    data = base64.b64decode(re.search(r"base64,([^']+)'", html)[1])
    picture = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(picture, sections[0].tiles.slide.thumbnail(200))


def test_a_slide_that_is_gone_still_shows_its_numbers(sections, monkeypatch):
    slide = sections[0].tiles.slide
    monkeypatch.setattr(type(slide), "thumbnail", lambda *_: (_ for _ in ()).throw(OSError("gone")))
    assert "<img" not in slide._repr_html_()
    assert "µm/px" in slide._repr_html_()


def test_a_picture_written_is_the_picture_read():
    picture = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)


def test_names_cannot_write_html():
    assert "<script>" not in html_of("<script>", {"<b>": "<i>"})


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda s, m: m.fit(s[0]), "put it in brackets"),
        (lambda s, m: m.fit("DATA"), "read it first"),
        (lambda s, m: m.fit([s[0].tiles]), "list of sections expected, found Tiles"),
        (lambda s, m: m.predict(s[0]), "use section.tiles"),
        (lambda s, m: m.predict(s), "found list"),
        (lambda s, m: mx.evaluate(folds_by_patient(s), ["ridge"]), "by the label"),
        (lambda s, m: mx.evaluate(folds_by_patient(s), {"a": "ridge"}), r"write mclstexp.create\('ridge'\)"),
        (lambda s, m: mx.evaluate(s, {}), "folds_by_patient"),
        (lambda s, m: mx.create("ridge", alpha="x"), "alpha must be float"),
        (lambda s, m: mx.create("mclstexp", view_widths=1), "view_widths must be tuple"),
        (lambda s, m: mx.folds_by_patient(s[0]), "put it in brackets"),
    ],
)
def test_usual_slips_are_answered_in_a_sentence(sections, fitted, slip, said):
    with pytest.raises(InputError, match=said):
        slip(sections, mx.create("mean") if "fit" in slip.__code__.co_names else fitted)


def test_help_shows_options_and_fields():
    assert "alpha : float | None, default None" in type(mx.create("ridge")).__doc__
    assert "size_px : int, default 224" in mx.TileSpec.__doc__
    assert mx.TileSpec.__doc__ == with_options(mx.TileSpec).__doc__  # said once


def test_all_rooms_are_reached_after_one_import():
    assert {"pl", "plotting", "analysis", "impute", "enhance", "find_domains"} <= set(dir(mx))
    assert mx.pl is mx.plotting
    for name in mx.pl.__all__:
        assert callable(getattr(mx.pl, name))
    assert set(mx.pl.__all__) <= set(dir(mx.pl))
    with pytest.raises(AttributeError, match="no attribute 'plot_nothing'"):
        mx.pl.plot_nothing  # noqa: B018
