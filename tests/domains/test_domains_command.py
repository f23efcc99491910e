"""`mclstexp domains`, as a user types it."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from PIL import Image
from sklearn.metrics import adjusted_rand_score

import mclstexp as mx
from made_bands import made_bands
from mclstexp.core.errors import InputError
from mclstexp.domains.image_only import ImageOnly
from mclstexp.io.predictions import read_prediction, write_prediction
from small_methods import ENCODER


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """A file of counts and places, without an image."""
    path = tmp_path_factory.mktemp("domains") / "bands.h5ad"
    made_bands().counts.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def section(tmp_path_factory):
    """The same beside an image."""
    root, bands = tmp_path_factory.mktemp("domains"), made_bands()
    bands.counts.uns["mpp"] = bands.tiles.slide.mpp
    bands.counts.write_h5ad(root / "bands.h5ad")
    Image.fromarray(bands.tiles.slide.thumbnail(10_000)).save(root / "bands.png")
    return root / "bands.h5ad"


def test_domains_are_written(counts, said, tmp_path):
    out = tmp_path / "d.h5ad"
    code, text, errors = said("domains", counts, "--out", out, "--k", 3, "--method", "spatial_kmeans")
    assert (code, errors) == (0, "")
    first, last = text.splitlines()
    assert first == "3 domains of 225 spots (number given): 75, 75, 75 spots"
    assert last == str(out)
    found = read_prediction(out)
    assert found.obs["domain"].cat.categories.tolist() == ["1", "2", "3"]
    assert found.obs["label"].nunique() == 3, "for the eye of who opens the file"
    assert set(found.obs["section"]) == {"bands"}
    made = found.uns["mclstexp"]
    assert (made["question"], made["method"], made["options"]["n_components"]) == ("domains", "spatial_kmeans", "15")
    code, _, errors = said("domains", counts, "--out", out, "--n-domains", 3)
    assert code == 2
    assert "--overwrite" in errors


def test_a_section_with_its_image(section, said, tmp_path):
    out = tmp_path / "d.h5ad"
    words = ("--method", "image_only", "--k", 3, "--option", f"encoder={ENCODER}", "--size-px", 32, "--mpp", 3)
    code, _, errors = said("domains", section, "--out", out, *words)
    assert (code, errors) == (0, "")
    found = read_prediction(out)
    assert adjusted_rand_score(found.obs["label"], found.obs["domain"].astype(str)) > 0.8, "bands differ in brightness"


def test_domains_of_a_prediction(counts, said, tmp_path):
    bands = made_bands()
    predicted = AnnData(np.log1p(bands.counts.X.toarray()), obsm={"spatial": bands.tiles.xy})
    predicted.obs_names, predicted.obs["section"] = bands.tiles.ids, "s7"
    predicted.uns["mclstexp"] = {"space": {"scale": "log"}}
    path = write_prediction(predicted, tmp_path / "p.h5ad")
    code, _, errors = said("domains", path, "--out", tmp_path / "d.h5ad", "--k", 3)
    assert (code, errors) == (0, "")
    assert set(read_prediction(tmp_path / "d.h5ad").obs["section"]) == {"s7"}
    again = mx.find_domains(predicted, n_domains=3)
    np.testing.assert_array_equal(again.obs["domain"], read_prediction(tmp_path / "d.h5ad").obs["domain"])


def test_places_of_an_array_are_in_the_names_of_its_spots(said, tmp_path):
    bands = made_bands().counts
    table = pd.DataFrame(bands.X.toarray().astype(int), index=bands.obs_names, columns=bands.var_names)
    table.to_csv(tmp_path / "bands.tsv", sep="\t")
    out = tmp_path / "d.h5ad"
    code, _, errors = said("domains", tmp_path / "bands.tsv", "--out", out, "--k", 3, "--method", "spatial_kmeans")
    assert (code, errors) == (0, "")
    assert read_prediction(out).obs["domain"].value_counts().tolist() == [75, 75, 75]


def test_of_counts_alone_none_looks(counts, said, tmp_path):
    words = (
        "--format",
        "counts",
        "--k",
        "3.0",
        "--method",
        "stmmc",
        "--option",
        "use_image=false",
        "--option",
        "n_epochs=2",
    )
    assert said("domains", counts, "--out", tmp_path / "d.h5ad", *words)[0] == 0
    assert read_prediction(tmp_path / "d.h5ad").obs["domain"].cat.categories.tolist() == ["1", "2", "3"]


def test_what_can_be_refused_is_refused_before_tiles_are_looked_at(section, said, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageOnly, "_look", lambda *_: pytest.fail("it looked"))
    code, _, errors = said("domains", section, "--out", tmp_path / "d.h5ad", "--method", "image_only", "--k", 999)
    assert code == 2
    assert "at most 225" in errors


def test_python_finds_raw_counts_where_they_are():
    counts = made_bands().counts.copy()
    counts.layers["counts"], counts.X = counts.X.copy(), np.log1p(counts.X.toarray())
    found = mx.find_domains(counts, n_domains=3, method="kmeans")
    assert found.obs["domain"].nunique() == 3
    with pytest.raises(InputError, match="did you mean 'kmeans'"):
        mx.find_domains(counts, method="kmeens")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--k", "1"), "--n-domains of 2 or more expected, found 1: leave it out to have it found"),
        (("--k", "999"), "--n-domains of at most 225, the number of spots, expected, found 999"),
        (("--k", "2.5"), "a whole number expected for --k, found 2.5"),
        (("--k", "inf"), "a whole number expected for --k, found inf"),
        (("--format", "counts", "--method", "image_only"), "expected for method image_only, which looks at it"),
        (("--method", "kmens"), "did you mean 'kmeans'?"),
        (("--option", "n_gene=1"), "did you mean 'n_genes'?"),
        (("--method", "image_only"), "image"),
        (("--preset", "published"), "method kmeans has no preset 'published'"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(counts, said, tmp_path, words, expected):
    code, _, errors = said("domains", counts, "--out", tmp_path / "o.h5ad", *words)
    assert code == 2
    assert expected in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_methods_are_listed_by_what_they_answer(said):
    text = said("list")[1]
    assert text.index("enhancement") < text.index("domains") < text.index("spatial_kmeans")
    options = said("list", "stmmc")[1]
    assert "image_graph" in options
    assert "--preset published: n_neighbours=3, refine=50" in options
