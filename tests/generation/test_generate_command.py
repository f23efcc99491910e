"""`mclstexp generate`: a generator, tiles along a gene, a slide that opens; all say that they are synthetic."""

import json

import numpy as np
import pytest

import st_files as files
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import open_slide
from mclstexp.io.stamped import read_stamp
from small_generators import TINY

SPEC = ("--size-px", 32, "--mpp", 4)


def _options(**changed):
    given = {**TINY, **changed}.items()
    said = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given}
    return [word for name, value in said.items() for word in ("--option", f"{name}={value}")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("generate")
    files.write_st_folder(root / "r1")
    files.write_st_folder(root / "r2")
    return root


@pytest.fixture(scope="module")
def generator(data, tmp_path_factory):
    from mclstexp.cli import run

    out = tmp_path_factory.mktemp("generators") / "g"
    words = ["generate", "fit", data, "--out", out, "--method", "nearest_tile", *SPEC]
    options = ["--option", f"encoder={TINY['encoder']}", "--option", "side_px=16"]
    assert run([str(word) for word in (*words, *options)]) == 0
    return out


def test_a_generator_is_fitted_once(data, said, tmp_path):
    words = ("generate", "fit", data, "--sections", "r1", "--out", tmp_path / "g", *SPEC, *_options())
    code, text, errors = said(*words)
    assert (code, errors) == (0, "")
    assert text.splitlines()[0].startswith("diffusion learnt from ")
    assert "it paints 16 px at 8 µm/px" in text
    before = (tmp_path / "g" / "model.json").stat().st_mtime_ns
    assert said(*words)[0] == 0
    assert (tmp_path / "g" / "model.json").stat().st_mtime_ns == before
    assert not list(tmp_path.glob(".*partial"))
    code, _, errors = said(*words, "--option", "seed=1")
    assert (code, "--overwrite" in errors) == (2, True)
    code, text, _ = said("info", tmp_path / "g")
    assert (code, "training sections" in text) == (0, True)
    code, _, errors = said("predict", tmp_path / "g", data / "r1", "--out", tmp_path / "p.h5ad")
    assert (code, "found a generator of tiles" in errors) == (2, True)


def test_tiles_say_in_their_files_that_they_are_synthetic(data, generator, said, tmp_path):
    out = tmp_path / "tiles"
    code, text, errors = said("generate", "tiles", generator, data, "--out", out, "--n", 5, "--seed", 3)
    assert (code, errors) == (0, "")
    assert text.startswith("synthetic, no pictures of tissue")
    made = json.loads((out / "made.json").read_text())
    assert [entry["file"] for entry in made] == [f"{i:04d}.png" for i in range(5)]
    for entry in made:
        stamp = read_stamp(out / entry["file"])
        assert stamp == {key: value for key, value in entry.items() if key != "file"}
        assert (stamp["synthetic"], stamp["seed"], stamp["method"]) == (True, 3, "nearest_tile")
    assert read_stamp(out / "sheet.png")["synthetic"] is True
    assert said("generate", "tiles", generator, data, "--out", out)[0] == 2
    assert said("generate", "tiles", generator, data, "--out", out, "--n", 2, "--overwrite")[0] == 0
    assert not (out / "0004.png").exists()


def test_a_slide_opens_as_a_slide(data, generator, said, tmp_path):
    out = tmp_path / "s.ome.tif"
    words = ("generate", "slide", generator, data, "--sections", "r1", "--out", out, "--rows", 2, "--columns", 3)
    code, text, errors = said(*words, "--repeat", 2)
    assert (code, errors) == (0, "")
    assert text.strip().endswith(str(out))
    slide = open_slide(out)
    assert (slide.size_px, slide.mpp) == ((2 * 3 * 16, 2 * 2 * 16), 8)
    assert (read_stamp(out)["asked_for"], read_stamp(out)["synthetic"]) == ("r1", True)
    first = slide.read((24, 16), TileSpec(16, 8.0))
    assert np.array_equal(slide.read((24 + 48, 16 + 32), TileSpec(16, 8.0)), first), "laid again"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--model", "m"), "--gene with --model or --quantiles expected, found none"),
        (("--gene", "TP35"), "genes expected, found 'TP35'"),
        (("--gene", "TP35", "--quantiles", "low"), "--quantiles written as 0.05,0.5,0.95 expected, found 'low'"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(data, generator, said, tmp_path, words, expected):
    code, _, errors = said("generate", "tiles", generator, data, "--out", tmp_path / "t", *words)
    assert (code, expected in " ".join(errors.split())) == (2, True)
    assert not (tmp_path / "t").exists()
