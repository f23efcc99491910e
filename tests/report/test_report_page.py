"""The page holds what was measured, asks for nothing from outside and says what must be known."""

import base64
import copy
import dataclasses
import hashlib
import html
import json
import re
import shutil
from functools import partial

import numpy as np
import pytest

from made_pairs import made_results
from mclstexp.analysis.domains import find_domains
from mclstexp.core.errors import InputError
from mclstexp.core.gene_blocks import blocks
from mclstexp.report import page_domains, page_figures, page_values
from mclstexp.report.build_page import choose_genes, make_page, write_report
from mclstexp.report.page_study import read_study
from mclstexp.report.page_values import code_maps
from opened_page import blob_of, data_of, renamed, text_of

METHOD = "ridge, 8"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return made_results(tmp_path_factory.mktemp("evaluation") / "results")


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Domains by k-means: importing scanpy takes longer than all of this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_domains, "find_domains", partial(find_domains, n_domains=3))
        patch.setattr(page_domains, "WAYS", ("paper",))
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Without drawings, which take most of the time."""
    for name in ("draw_errors", "draw_ranking"):
        monkeypatch.setattr(page_figures, name, lambda *_: page_figures.Drawing("data:,", "nothing", "nothing"))
    monkeypatch.setattr(page_figures, "draw_methods", lambda _: [])


@pytest.fixture(scope="module")
def study(results):
    return read_study(results, METHOD)


@pytest.fixture(scope="module")
def page(study):
    return make_page(study, choose_genes(study, None)).decode()


def test_values_of_the_page_are_those_of_the_prediction(study, page):
    data = data_of(page)
    assert data["genes"] == list(study.ranking.index) == [row["gene"] for row in data["rank"]]
    for n, (section, pair) in enumerate(zip(data["sections"], study.pairs, strict=True)):
        assert (section["id"], section["n_spots"]) == (pair.id, len(pair.section))
        low, high = np.array(data["scale"]["value"]).T[:, :, None]
        at = [pair.genes.index(gene) for gene in data["genes"]]
        for name, values in (("truth", pair.truth), ("predicted", pair.guess)):
            steps = blob_of(page, section[name], np.uint8).reshape(len(data["genes"]), -1)
            off = np.abs(low + steps / 254 * (high - low) - values[:, at].T)
            assert (off <= (high - low) / 508 + 1e-5).all(), name
        xy = blob_of(page, f"xy-{n}", "<f4").reshape(-1, 2) * section["image"]["um_per_px"]
        assert np.allclose(np.diff(xy, axis=0), np.diff(pair.section.tiles.xy_um, axis=0), atol=0.01)
        assert section["names"] == pair.section.tiles.ids.tolist()
        assert section["depth"] == pair.section.counts.X.sum(axis=1).A1.tolist()
        assert len(section["domains"]["predicted"]) == len(pair.section)
        assert set(section["domains"]["predicted"]) <= set(data["colours"]["domains"])
    assert all(len(colours) == 256 for name, colours in data["colours"].items() if name not in ("missing", "domains"))


def test_only_this_very_script_and_style_may_run(page):
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', page)[1])
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    script, style = (
        re.findall(r"<script>(.*?)</script>", page, re.DOTALL),
        re.findall(r"<style>(.*?)</style>", page, re.DOTALL),
    )
    assert len(script) == len(style) == 1
    for kind, (text,) in (("script", script), ("style", style)):
        hashed = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{hashed}'" in policy


def test_nothing_is_fetched(page):
    for tag in re.findall(r"<[a-z][^>]*>", re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)):
        for place in re.findall(r'\b(?:src|href|srcset|action|data)="([^"]*)"', tag):
            assert place.startswith(("#", "data:")), tag
        assert " style=" not in tag, "the policy lets no style of an element in"
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "@import" not in style
    assert not re.search(r"url\((?!['\"]?data:)", style)
    assert "/Study" not in page


def test_the_page_answers_without_scripts(study, page):
    text = text_of(page)
    good = study.ranking.index[study.ranking["verdict"] == "predictable"]
    assert f"{len(good)} of 20 genes" in text or "None of 20 genes is predictable" in text
    assert "Weakest section" in text
    assert "arXiv:2407.08216" in text
    for hashed in study.record["sections"].values():
        assert hashed in text
    for method, row in study.summary.iterrows():
        assert method in text
        assert f"{row['pcc']:.3f}" in text
    assert all(alt for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page))
    assert len(re.findall("<h1>", page)) == 1


def test_the_page_is_in_the_order_of_a_reader(study, page):
    """The table of methods comes after what was predicted; all of it folded away."""
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    wanted = ["In short", "Warnings", "Explorer", "Genes", "Where the prediction fails", "Methods compared"]
    assert titles == [*wanted, "How it was made"]
    assert re.findall(r'<a href="#([a-z-]+)">', page)[-5:] == ["explorer", "genes", "where", "methods-compared", "how"]
    brief = page[page.index('id="methods-compared"') :].split("</table>")[0]
    assert brief.count('<th scope="col"') <= 5
    head = text_of(page[: page.index("<main>")])
    assert "Research use only" in head
    assert "Tested on patient" in head


@pytest.mark.slow
def test_the_same_results_give_the_same_page(study, page):
    again = dataclasses.replace(study)
    assert make_page(again, choose_genes(again, None)).decode() == page


def test_genes_are_coded_some_at_a_time_to_the_same_bytes(study, monkeypatch):
    genes = choose_genes(study, None)
    whole = code_maps(study, genes)
    n_spots = sum(len(pair.section) for pair in study.pairs)
    monkeypatch.setattr(page_values, "blocks", lambda n, width: blocks(n, width, most=3 * n_spots))
    in_blocks = code_maps(study, genes)
    for name in ("truth", "predicted", "width"):
        for one, other in zip(getattr(in_blocks, name), getattr(whole, name), strict=True):
            np.testing.assert_array_equal(one, other)
    for name in ("scale", "limits"):
        for of, ends in getattr(whole, name).items():
            np.testing.assert_array_equal(getattr(in_blocks, name)[of], ends)


def test_names_cannot_leave_their_place(study, undrawn):
    bad = "</script><img src=x onerror=alert(1)>"
    hostile = renamed(study, section=lambda name: bad + name, gene=lambda name: bad + name)
    page = make_page(hostile, choose_genes(hostile, None)).decode()
    assert "<img src=x" not in page
    assert data_of(page)["genes"][0].startswith(bad)
    assert bad in text_of(page), "and it is shown as it is"


@pytest.mark.slow
def test_drawings_have_room_for_long_names(study):
    long = renamed(study, section=lambda name: 50 * name, gene=lambda name: 50 * name)
    assert make_page(long, choose_genes(long, None))


def test_a_page_that_would_be_too_large_keeps_the_best_genes(study, undrawn):
    genes = choose_genes(study, None)
    limit = (len(make_page(study, genes)) - 1500) / 1e6
    smaller = make_page(study, genes, max_mb=limit)
    kept = data_of(smaller.decode())["genes"]
    assert 0 < len(kept) < len(genes)
    assert kept == genes[: len(kept)]
    assert len(smaller) <= limit * 1e6
    assert f"the {len(kept)} best of 20 genes, to stay under" in text_of(smaller.decode())
    assert genes[-1] in text_of(smaller.decode()), "what is left out is named"
    with pytest.raises(InputError, match=r"found max_mb = 0.1 where the page alone takes"):
        make_page(study, genes, max_mb=0.1)


def test_genes_can_be_chosen(study, tmp_path):
    ranked = choose_genes(study, None)
    assert choose_genes(study, "3") == ranked[:3]
    listed = tmp_path / "genes.txt"
    listed.write_text(f"{ranked[4]}\n{ranked[1]}\n")
    assert choose_genes(study, str(listed)) == [ranked[1], ranked[4]]
    listed.write_text("NOPE\n")
    with pytest.raises(InputError, match=r"found 1 others \(NOPE\)"):
        choose_genes(study, str(listed))


def test_what_cannot_be_reported_is_said_in_one_sentence(results, said, tmp_path):
    def broken(*words, results=results, out="r.html"):
        code, text, errors = said("report", results, "--out", tmp_path / out, *words)
        assert (code, text, errors.count("\n")) == (2, "", 1), errors
        return errors

    assert "found no folder: give that folder" in broken(results=tmp_path / "nowhere")
    assert "found no experiment.json in it" in broken(results=tmp_path)
    assert "found 'ridgy': name one" in broken("--method", "ridgy")
    assert "a number of genes of at least 1 expected, found 0" in broken("--genes", "0")
    assert "is a folder: name a file" in broken(out="")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(results / "experiment.json", bare)
    assert "say predictions = true in the experiment file" in broken(results=bare)
    record = json.loads((results / "experiment.json").read_text())
    (bare / "predictions").symlink_to(results / "predictions")
    record["experiment"]["data"]["synthetic"]["seed"] = 1
    (bare / "experiment.json").write_text(json.dumps(record))
    assert "found others" in broken(results=bare)
    record["experiment"]["data"] = {"path": str(tmp_path / "gone")}
    (bare / "experiment.json").write_text(json.dumps(record))
    assert "say where they lie now with --data" in broken(results=bare)
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.slow
def test_the_command_writes_the_page(results, said, tmp_path):
    code, text, _ = said("report", results, "--out", tmp_path / "r.html", "--method", METHOD)
    assert (code, text) == (0, f"{tmp_path / 'r.html'}\n")
    assert data_of((tmp_path / "r.html").read_text())["method"] == METHOD
    assert write_report(results, tmp_path / "r2.html").is_file()


def test_nothing_on_the_page_turns_or_hides_letters_or_says_where_files_lie(study, undrawn):
    mark, place = "BRCA\u202e1\u200b", "/home/ada lovelace/weights.safetensors"
    record = copy.deepcopy(study.record)
    record["methods"][METHOD]["encoder"] = f"vit_small@{place}"
    record["experiment"] |= {"title": mark, "genes": place, place: [f"read {place}"]}
    page = make_page(dataclasses.replace(study, record=record), choose_genes(study, "3")).decode()
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert "BRCA\\u202e1\\u200b" in page
    assert "lovelace" not in page
    assert "vit_small@…/weights.safetensors" in page


@pytest.mark.slow
def test_domains_are_found_in_the_way_that_is_named(results, tmp_path, undrawn, monkeypatch):
    monkeypatch.setattr(page_domains, "find_domains", find_domains)
    page = write_report(results, tmp_path / "r.html", method=METHOD, genes="3", domains="spatial_kmeans").read_text()
    assert "Domains: spatial_kmeans in each section on its own" in text_of(page)
    assert "No domains are shown" not in page
    with pytest.raises(InputError, match="did you mean 'kmeans'"):
        write_report(results, tmp_path / "r.html", domains="kmean")
