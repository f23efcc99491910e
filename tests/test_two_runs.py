"""Two runs at one output: the second is refused in one sentence and harms nothing, or both are right."""

import numpy as np
import pytest
from PIL import Image

import st_files as files
from made_pairs import made_results
from mclstexp.io.working import working_folder, working_path
from mclstexp.report import build_page, page_figures
from mclstexp.report.build_page import write_report

TILE = ("--size-px", "32", "--mpp", "10")
EXPERIMENT = '[data]\npath = "{data}"\n[tile]\nsize_px = 32\nmpp = 10.0\n[methods.zero]\nmethod = "mean"\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Sections, an experiment, a slide and a model."""
    from mclstexp.cli import run

    home = tmp_path_factory.mktemp("home")
    for name in ("r1", "r2"):
        files.write_st_folder(home / "data" / name)
    (home / "e.toml").write_text(EXPERIMENT.format(data=home / "data"))
    pixels = np.random.default_rng(0).integers(60, 255, (200, 200, 3), dtype=np.uint8)
    pixels[..., 1] //= 3  # stained
    (home / "slides").mkdir()
    Image.fromarray(pixels).save(home / "slides" / "s.png")
    words = ("fit", "mean", home / "data" / "r1", *TILE, "--out", home / "model")
    assert run([str(word) for word in words]) == 0
    return home


def commands(home):
    slide_words = ("--slide-mpp", "10", "--stride-um", "160")
    return {
        "fit": ("model", ("fit", "mean", home / "data" / "r1", *TILE)),
        "predict a slide": ("p.h5ad", ("predict", home / "model", home / "slides" / "s.png", *slide_words)),
        "predict sections": ("out", ("predict", home / "model", home / "data" / "r2")),
        "evaluate": ("results", ("evaluate", home / "e.toml")),
    }


@pytest.mark.filterwarnings("default")  # the section predicted is the one learnt from
@pytest.mark.parametrize("command", ["fit", "predict a slide", "predict sections", "evaluate"])
def test_the_second_is_refused_and_works_once_the_first_has_ended(command, home, said, tmp_path):
    name, words = commands(home)[command]
    out = tmp_path / name
    for given in (out, tmp_path / "." / name, tmp_path / ".." / tmp_path.name / name):
        with working_folder(working_path(out), doing="a first run") as first:
            (first.path / "piece").write_text("of the first")
            code, text, errors = said(*words, "--out", given)
            assert (code, text, (first.path / "piece").read_text()) == (2, "", "of the first")
            last = errors.splitlines()[-1]
            assert f"{name}: a place that no other run works on expected, found a first run of process" in last
            assert last.endswith("wait for it or choose another --out")
        assert list(tmp_path.iterdir()) == []
    if command != "evaluate":  # which starts processes: see test_runner
        assert said(*words, "--out", out)[0] == 0
        assert list(tmp_path.glob(".*")) == []


@pytest.mark.slow
def test_two_reports_at_once_are_both_right(tmp_path, monkeypatch):
    results = tmp_path / "made" / "results"
    made_results(results)
    nothing = page_figures.Drawing("data:,", "nothing", "nothing")
    for name in ("draw_errors", "draw_ranking"):
        monkeypatch.setattr(page_figures, name, lambda *_: nothing)
    monkeypatch.setattr(page_figures, "draw_methods", lambda _: [])
    page, alone = tmp_path / "page.html", write_report(results, tmp_path / "alone.html").read_bytes()
    make_page, whole = build_page.make_page, []

    def make_while_another_is_made(*given, **named):
        made = make_page(*given, **named)
        if not whole:
            whole.append(None)
            write_report(results, page)
            whole.append(page.read_bytes())
        return made

    monkeypatch.setattr(build_page, "make_page", make_while_another_is_made)
    write_report(results, page)
    assert whole[1] == page.read_bytes() == alone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.html", "made", "page.html"]
