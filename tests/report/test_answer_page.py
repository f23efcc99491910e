"""An answer of imputation, enhancement or domains is shown beside what was measured, place by place."""

import numpy as np
import pytest

import st_files as files
from made_bands import made_bands
from made_cells import made_cells
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.domains import create_domain_finder
from mclstexp.enhancement import create_enhancer
from mclstexp.imputation import create_imputer
from mclstexp.plotting.domains import match_domains
from mclstexp.report.answer import beside
from mclstexp.report.answer_page import write_answer_page
from opened_page import blob_of, data_of, text_of

MISSING = 255


@pytest.fixture(scope="module")
def section():
    return made_bands(side=9)


def shown(page, which, n_places):
    return blob_of(page, f"{which}-0", np.uint8).reshape(-1, n_places)


def test_a_finer_lattice_has_a_truth_at_its_spots_alone(section, tmp_path):
    said = create_enhancer("kriging").enhance(section, genes=["G0", "G1"])
    page = write_answer_page([(section, said)], tmp_path / "p.html").read_text()
    data, truth, predicted = data_of(page), shown(page, "truth", 17**2), shown(page, "predicted", 17**2)
    assert (data["genes"], data["sections"][0]["n_spots"]) == (["G0", "G1"], 17**2)
    assert (data["method"], data["titles"]["predicted"], data["titles"]["truth"]) == ("kriging", "Enhanced", "Measured")
    np.testing.assert_array_equal(truth[0] != MISSING, said.obs["in_section"])
    assert (predicted != MISSING).all()
    (low, high), measured = data["scale"]["value"][0], ExpressionSpace(tuple(section.genes))(section.counts)
    np.testing.assert_allclose(low + truth[0][:81] / 254 * (high - low), measured[:, 0], atol=(high - low) / 500)
    assert data["rank"][0]["pcc"] is None, "the spots were given"
    assert sum(data["sections"][0]["depth"]) == section.counts.X.sum()


def test_imputed_genes_have_a_truth_where_they_were_measured(tmp_path):
    section, cells = made_bands(side=9, n_genes=100), made_cells(60)
    less = section.counts[:, 1:].copy()
    said = create_imputer("gene_knn").impute(less, cells, genes=["G0", "G1"])
    answer = beside(section, said)
    assert np.isfinite(answer.truth).all()
    only = type(section)(section.id, None, section.tiles, less)
    page = write_answer_page([(only, said)], tmp_path / "p.html").read_text()
    data, truth = data_of(page), shown(page, "truth", 81)
    assert (truth[0] == MISSING).all()
    assert (truth[1] != MISSING).all()
    assert data["views"] == ["truth", "predicted", "image"]
    assert data["titles"]["difference"] == "Imputed less measured"
    assert data["rank"][0]["why"] == "nobody measured it here"
    assert data["rank"][1]["pcc"] == pytest.approx(beside(only, said).pcc[1], abs=1e-5)
    assert "Genes nobody measured" in text_of(page)


def test_domains_stand_beside_labels_and_measured_genes(section, tmp_path):
    said = create_domain_finder("kmeans").find(section, n_domains=3)
    page = write_answer_page([(section, said)], tmp_path / "p.html", n_genes=5).read_text()
    data = data_of(page)
    assert data["views"] == ["domains-predicted", "domains-labels", "truth"]
    assert data["titles"] == {"truth": "Measured", "domains-predicted": "Domain"}
    domains = data["sections"][0]["domains"]
    assert domains["predicted"] == said.obs["domain"].astype(str).tolist()
    assert domains["labels"] == section.counts.obs["label"].tolist()
    assert set(domains["predicted"]) | set(domains["labels"]) == set(data["colours"]["domains"])
    palette = data["colours"]["domains"]
    for domain, label in match_domains(domains["predicted"], domains["labels"]).items():
        assert palette[domain] == palette[label]
    assert len({palette[label] for label in set(domains["labels"])}) == len(set(domains["labels"]))
    assert len(data["genes"]) == 5
    assert (shown(page, "predicted", 81) == MISSING).all()
    assert "This page holds the first 5 of 60 genes" in text_of(page)


def test_an_answer_about_another_section_is_refused(section, tmp_path):
    said = create_domain_finder("kmeans").find(section, n_domains=3)
    with pytest.raises(InputError, match=r"about spots of section bands expected, found 1 of 81 others"):
        beside(section.take(np.arange(80)), said)
    fine = create_enhancer("nearest").enhance(section, genes=["G0"])
    fine.obs_names = [f"other {n}" for n in range(fine.n_obs)]
    with pytest.raises(InputError, match="places about the spots of section bands expected, found none"):
        beside(section, fine)
    with pytest.raises(InputError, match="a size that one gene fits into expected"):
        write_answer_page([(section, said)], tmp_path / "p.html", max_mb=0.01)
    said.uns["mclstexp"]["question"] = "riddle"
    with pytest.raises(InputError, match="an answer of impute, enhance or domains expected, found one of another"):
        beside(section, said)
    assert list(tmp_path.iterdir()) == []


def test_the_command_opens_what_a_command_wrote(said, tmp_path):
    files.write_st_folder(tmp_path / "r1")
    assert said("enhance", tmp_path / "r1", "--out", tmp_path / "fine.h5ad")[0] == 0
    code, _, errors = said("report", tmp_path / "fine.h5ad", "--out", tmp_path / "p.html")
    assert (code, "name it with --data" in errors) == (2, True)
    answer = ("report", tmp_path / "fine.h5ad", "--data", tmp_path / "r1", "--out", tmp_path / "p.html")
    code, _, errors = said(*answer, "--genes", "many")
    assert (code, "a number of genes of at least 1 expected with --genes of an answer" in errors) == (2, True)
    code, text, errors = said(*answer, "--genes", "2")
    assert (code, errors) == (0, "")
    assert text.strip() == str(tmp_path / "p.html")
    assert len(data_of((tmp_path / "p.html").read_text())["genes"]) == 2
