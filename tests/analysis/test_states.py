"""Tissue states: learnt on training sections alone, named alike on every slide, shown as a prediction is."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from made_bands import made_bands
from mclstexp import create, save_model
from mclstexp.analysis.states import TissueCodebook, composition, laid_out
from mclstexp.api.states import find_states
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide
from mclstexp.io.predictions import read_prediction
from mclstexp.report.viewer_data import SlideView
from mclstexp.sight.sight import Sight
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def bands():
    whole = made_bands(side=24)
    thirds = [whole.take(np.arange(third, len(whole), 3)) for third in range(3)]
    return [replace(section, id=f"s{number}", patient=f"p{number}") for number, section in enumerate(thirds)]


@pytest.fixture(scope="module")
def fitted():
    return create("codebook", encoder=ENCODER, sizes=(3, 4), n_components=6).fit(small_sections(2))


@pytest.mark.parametrize("on", ["expression", "joint"])
def test_bands_of_a_new_section_are_states(bands, on):
    codebook = TissueCodebook.fit(bands[:2], on=on, sizes=(3,), sight=Sight(ENCODER), n_components=5)
    found = codebook.describe(bands[2])
    assert adjusted_rand_score(bands[2].counts.obs["label"], found.obs["state"]) > 0.9
    assert list(found.uns["mclstexp"]["learnt_from"]) == ["s0", "s1"]
    shares = bands[2].counts.obs["label"].value_counts(normalize=True)
    np.testing.assert_allclose(np.sort(composition(found.obsm["tokens"], 3)), np.sort(shares), atol=0.05)


def test_states_of_looks_need_no_counts(bands):
    codebook = TissueCodebook.fit(bands[:2], on="image", sizes=(3,), sight=Sight(ENCODER), n_components=5)
    counts = bands[2].counts.copy()
    counts.X = sparse.csr_matrix(np.ones(counts.shape, np.float32))
    untold = replace(bands[2], counts=counts)
    np.testing.assert_array_equal(codebook.tokens(untold), codebook.tokens(bands[2]))
    assert adjusted_rand_score(bands[2].counts.obs["label"], codebook.tokens(untold)[:, 0]) > 0.6


def test_looks_and_expression_weigh_alike(bands):
    codebook = TissueCodebook.fit(bands[:2], on="joint", sizes=(3,), sight=Sight(ENCODER), n_components=5)
    looks, expressed = codebook.blocks
    assert looks.coef.shape[1] == expressed.coef.shape[1] == 5
    genes = np.concatenate([codebook.space(section.counts) for section in bands[:2]])
    assert float(expressed.apply(genes).var(axis=0).sum()) == pytest.approx(1, rel=1e-4)


def test_a_new_section_moves_no_state(bands):
    asked = bands[0]
    alone = TissueCodebook.fit(bands[:2], sizes=(3, 4)).tokens(asked)
    codebook = TissueCodebook.fit(bands[:2], sizes=(3, 4))
    codebook.tokens(bands[2])
    np.testing.assert_array_equal(codebook.tokens(asked), alone)
    np.testing.assert_array_equal(codebook.tokens(asked.take(np.arange(7))), alone[:7])


def test_states_are_named_by_their_path(fitted):
    section = small_sections(3)[2]
    found = find_states(fitted, section.tiles)
    codes, distance = fitted.codes(section.tiles)
    assert list(found.obs["state"]) == [str(code + 1) for code in codes[:, 0]]
    assert list(found.obs["state_2"]) == [f"{one + 1}.{two + 1}" for one, two in codes]
    np.testing.assert_array_equal(found.X.argmax(axis=1), codes[:, 0])
    np.testing.assert_allclose(found.obs["distance"], distance, rtol=1e-6)
    np.testing.assert_array_equal(found.obsm["spatial"], section.tiles.xy)
    assert found.X.sum() == len(section)


def test_a_state_that_no_tile_is_in_still_has_its_column():
    section = small_sections(1)[0]
    found = laid_out(np.zeros((len(section), 1), int), section.tiles, sizes=(4,))
    assert list(found.var_names) == ["state 1", "state 2", "state 3", "state 4"]
    assert found.X.sum(axis=0).tolist() == [len(section), 0, 0, 0]


def test_the_command_names_states_of_a_slide_and_the_viewer_opens_them(fitted, tmp_path, said):
    run = save_model(fitted, tmp_path / "run")
    slide: Slide = small_sections(3)[2].tiles.slide
    picture, out = tmp_path / "slide.png", tmp_path / "states.h5ad"
    Image.fromarray(slide.thumbnail(max(slide.size_px))).save(picture)
    code, text, errors = said("states", run, picture, "--slide-mpp", slide.mpp, "--out", out)
    assert code == 0, errors
    assert "share" in text
    found = read_prediction(out)
    assert set(found.obs["state"]) <= {"1", "2", "3"}
    view = SlideView(picture, out)
    assert view.layers[:3] == ["state 1", "state 2", "state 3"]
    assert view.describe()["unit"] == ""
    code, _, errors = said("states", run, picture, "--slide-mpp", slide.mpp, "--out", out)
    assert code == 2
    assert "--overwrite" in errors


def test_only_a_codebook_has_states(tmp_path):
    sections = small_sections(1)
    save_model(create("mean").fit(sections), tmp_path / "mean")
    with pytest.raises(InputError, match=r"a fitted codebook expected .* found mean"):
        find_states(tmp_path / "mean", sections[0].tiles)
