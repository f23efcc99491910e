"""What would be read wrong without a word: pictures that are none of H&E, whole numbers that are no counts, doubles."""

import json
import warnings
from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from mclstexp.api.domains import find_domains, find_domains_file
from mclstexp.api.imputation import impute, impute_file
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.checks import check_section
from mclstexp.io.outlines import read_outlines
from mclstexp.io.raw_counts import raw_counts
from mclstexp.io.slides import ArraySlide
from mclstexp.io.synthetic import make_sections
from mclstexp.io.witnesses.evidence import Evidence, Statement, StoredPicture
from mclstexp.io.witnesses.pictures import orientation_findings


@pytest.fixture(scope="module")
def section():
    return make_sections(1, n_spots_side=9, n_genes=30, mpp=2.0, spec=TileSpec(size_px=32, mpp=4.0))[0]


def shown(section, picture):
    """The section on another picture."""
    slide = ArraySlide(np.ascontiguousarray(picture), mpp=2.0, id=section.id)
    return replace(section, tiles=replace(section.tiles, slide=slide))


def grey(picture):
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (np.zeros_like, "the image is black under most spots"),
        (lambda a: 255 - a, "dark where H&E on glass is bright"),
        (grey, "the image has no colours"),
    ],
)
def test_a_picture_that_is_none_of_stained_tissue_is_pointed_at(section, change, said):
    found = check_section(shown(section, change(section.tiles.slide.pixels)))
    assert any(said in one for one in found)
    assert not [one for one in check_section(section) if "H&E" in one]


def test_red_and_blue_exchanged_are_told_by_the_stored_picture(section):
    pixels = section.tiles.slide.pixels
    stored = StoredPicture("tissue_hires_image.png", (pixels.shape[1], pixels.shape[0]), 1.0, pixels)

    def found(picture):
        slide = ArraySlide(np.ascontiguousarray(picture), mpp=2.0, id="picture")
        scales = (Statement("the image's header", 2.0),)
        return orientation_findings(Evidence(slide, section.tiles.xy, scales, pictures=(stored,)))

    assert found(pixels) == []
    (one,) = found(pixels[..., ::-1])
    assert one.text.startswith("the image shows tissue_hires_image.png with red and blue exchanged")


def test_whole_numbers_that_are_no_counts_are_pointed_at(section):
    counts = section.counts.X.toarray().astype(float)
    shares = 10_000 * counts / counts.sum(axis=1, keepdims=True)
    for wrong, said in (
        (shares.round(), "add up to nearly 10000 at every spot"),
        (3 * counts, "multiples of 3"),
        (counts > 0, "are 1 and 0 alone"),
    ):
        found = ad.AnnData(sparse.csr_matrix(wrong.astype(float)))
        with pytest.warns(UserWarning, match=said):
            assert raw_counts(found, where="x").X.sum() == wrong.sum()
        found.raw = ad.AnnData(sparse.csr_matrix(counts))
        with pytest.warns(UserWarning, match=r"counts are taken from raw.X; the whole numbers in X (add up|are)"):
            assert raw_counts(found, where="x").X.sum() == counts.sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw_counts(ad.AnnData(sparse.csr_matrix(counts)), where="x")


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_spots_that_stand_twice_are_refused(section):
    counts = section.counts.copy()
    counts.obs_names = [*counts.obs_names[:-1], counts.obs_names[0]]
    for asked in (lambda: find_domains(counts, n_domains=3), lambda: impute(counts[:, :20].copy(), section.counts)):
        with pytest.raises(InputError, match=r"each spot once expected, found '?0x.*'? twice"):
            asked()


def test_a_list_of_genes_in_another_encoding_is_no_absent_one(tmp_path):
    path = tmp_path / "genes.txt"
    path.write_text("ESR1\nPGR\n", encoding="utf-16")
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_genes(path)
    with pytest.raises(InputError, match="closed"):
        read_genes(tmp_path)


def outlined(path, *classes):
    """A GeoJSON file with a square of each class, side by side."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[x, 0], [x + 9, 0], [x + 9, 9], [x, 9], [x, 0]]]},
            "properties": {"classification": {"name": name}},
        }
        for x, name in zip(range(0, 100, 10), classes, strict=False)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_annotations_of_other_programs_are_told_how_to_be_exported(tmp_path):
    contents = {
        "asap.xml": b'<?xml version="1.0"?><ASAP_Annotations/>',
        "halo.annotations": b"\xef\xbb\xbf<Annotations/>",
        "xenium.csv": b"#Selection name: a\nX,Y\n1,2\n",
        "mask.png": b"\x89PNG\r\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="found another kind of file: export the annotations as GeoJSON"):
            read_outlines(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["Hole", "ignore", "Artefact", "artifacts", "Pen", "Background", "Exclude", "Out-of-focus"]
)
def test_a_class_that_sounds_unwanted_and_is_taken_is_said(tmp_path, name):
    with pytest.warns(UserWarning, match=rf"regions of class {name} in m.geojson are taken as tissue like any other"):
        assert len(read_outlines(outlined(tmp_path / "m.geojson", "Tumor", name)).polygons) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_outlines(outlined(tmp_path / "m.geojson", "Tumor", "Pentagon", "Inky")).polygons) == 3


def test_a_result_takes_neither_the_place_of_what_it_is_made_of_nor_the_ending_of_another_kind(tmp_path):
    path = tmp_path / "section.h5ad"
    path.write_bytes(b"the only copy")
    with pytest.raises(InputError, match="another place for the domains than what it is made of"):
        find_domains_file(DataConfig(path=str(path)), out=path, overwrite=True)
    with pytest.raises(InputError, match="another place for the imputation than what it is made of"):
        impute_file(DataConfig(path=str(tmp_path / "s.h5ad")), path, out=path, overwrite=True)
    (tmp_path / "link.h5ad").symlink_to(path)
    with pytest.raises(InputError, match="another place for the domains"):
        find_domains_file(DataConfig(path=str(path)), out=tmp_path / "link.h5ad", overwrite=True)
    assert path.read_bytes() == b"the only copy"
    with pytest.raises(InputError, match=r"a file .h5ad for the domains expected, found .*domains.csv"):
        find_domains_file(DataConfig(path=str(path)), out=tmp_path / "domains.csv")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.h5ad", "section.h5ad"]


@pytest.mark.parametrize("words", [["--n", "0"], ["--gene", "G1", "--n", "0"]])
def test_no_tiles_are_not_painted(words, said, tmp_path):
    code, _, errors = said("generate", "tiles", "generator", "data", "--out", tmp_path / "tiles", *words)
    assert (code, errors) == (2, "mclstexp: one or more tiles to paint expected, found 0\n")


def test_a_prediction_takes_neither_the_ending_of_a_table_nor_the_place_of_itself(said, tmp_path):
    code, _, errors = said("predict", "model", "slide.svs", "--out", tmp_path / "p.csv")
    assert code == 2
    assert "a name that ends in .h5ad, or of a folder, expected for predictions" in errors
    path = tmp_path / "p.h5ad"
    path.write_bytes(b"the only copy")
    code, _, errors = said("export", path, "--to", "qupath", "--out", path, "--overwrite")
    assert code == 2
    assert "another place for the export than what it is made of expected" in errors
    assert path.read_bytes() == b"the only copy"
    assert [one.name for one in tmp_path.iterdir()] == ["p.h5ad"]
