"""Xenium, CosMx and MERSCOPE, read from small folders made as their makers write them."""

import gzip
import warnings

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from imaging_files import COUNTS, GENES, MPP, XY_UM, N, cosmx, image, merscope, on_image, xenium
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.imaging.controls import is_control
from mclstexp.io.imaging.pooling import pool
from mclstexp.io.read import READERS, read_sections
from mclstexp.io.unasked import places_alone

SPEC = TileSpec(8, 2.0)
MAKERS = {"xenium": xenium, "cosmx": cosmx, "merscope": merscope}
LEFT_OUT = "ignore:.*(left out|no alignment).*:UserWarning"


@pytest.mark.filterwarnings(LEFT_OUT)
@pytest.mark.parametrize("name", MAKERS)
def test_cells_lie_where_the_alignment_says_and_carry_their_counts(name, tmp_path):
    path = MAKERS[name](tmp_path)
    assert [form for form, reader in READERS.items() if reader.looks_like(path)] == [name]
    (section,) = read_sections(path, spec=SPEC, pool_um=0)
    assert section.genes == tuple(GENES)
    assert section.tiles.slide.mpp == pytest.approx(MPP)
    order = np.argsort(section.tiles.xy[:, 0])
    truth = np.argsort(on_image(XY_UM)[:, 0])
    assert np.allclose(section.tiles.xy[order], on_image(XY_UM)[truth], atol=1e-6)
    assert np.array_equal(section.counts.X.toarray()[order], COUNTS[truth, :3])
    assert 0 < section.counts.uns["spot_diameter_um"] < 12


@pytest.mark.filterwarnings(LEFT_OUT)
@pytest.mark.parametrize("name", MAKERS)
def test_pooling_loses_no_count_and_is_the_default(name, tmp_path):
    path = MAKERS[name](tmp_path)
    (section,) = read_sections(path, spec=SPEC)
    assert section.counts.X.sum() == COUNTS[:, :3].sum()
    assert section.counts.obs["n_cells"].sum() == N
    assert section.counts.uns["pitch_um"] == section.counts.uns["spot_diameter_um"] == 55
    (wider,) = read_sections(path, spec=SPEC, pool_um=110, lattice="hexagonal")
    assert wider.counts.X.sum() == COUNTS[:, :3].sum()
    assert len(wider) < len(section)
    with places_alone():
        (bare,) = read_sections(path, spec=SPEC)
    assert bare.counts.n_vars == 0
    assert np.allclose(bare.tiles.xy, section.tiles.xy)


@pytest.mark.parametrize("name", MAKERS)
def test_controls_are_counted_aloud(name, tmp_path):
    path = MAKERS[name](tmp_path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read_sections(path, spec=SPEC)
    said = " ".join(str(warning.message) for warning in told)
    held = COUNTS[:, 3:].sum() / COUNTS.sum()
    if name == "xenium":
        assert "2 control probes and codewords (NegControlProbe_00042, UnassignedCodeword_0001)" in said
        assert "1 control probes and codewords (BLANK_0006)" in said
    else:
        assert f"3 control probes and codewords ({'NegPrb1' if name == 'cosmx' else 'Blank-1'}, " in said
        assert f"which held {held:.2%} of the counts" in said
    if name == "cosmx":
        share = 2 * 6 * 9 / (2 * 6 * 9 + COUNTS.sum())
        assert f"{share:.1%} of the counts lie in no cell (cell_ID 0 of 2 fields)" in said


@pytest.mark.filterwarnings(LEFT_OUT)
@pytest.mark.parametrize("name", MAKERS)
def test_without_an_he_image_it_is_said_what_to_give(name, tmp_path):
    path = MAKERS[name](tmp_path)
    for picture in path.glob("*.tif"):
        picture.rename(tmp_path / "elsewhere.tif")
    with pytest.raises(InputError, match=r"H&E image of the section .* found none: .* fluorescence; give image="):
        read_sections(path, spec=SPEC)
    (alignment,) = path.glob("*align*.csv")
    (section,) = read_sections(path, spec=SPEC, image=tmp_path / "elsewhere.tif", alignment=alignment, pool_um=0)
    assert np.allclose(np.sort(section.tiles.xy[:, 0]), np.sort(on_image(XY_UM)[:, 0]), atol=1e-6)
    with pytest.warns(UserWarning, match="no alignment of elsewhere.tif: it is taken to show the field"):
        (section,) = read_sections(path, spec=SPEC, image=tmp_path / "elsewhere.tif", pool_um=0)
    assert np.allclose(np.sort(section.tiles.xy[:, 0]), np.sort(XY_UM[:, 0] / MPP), atol=1e-6)


@pytest.mark.filterwarnings(LEFT_OUT)
def test_scales_that_disagree_are_told(tmp_path):
    path = xenium(tmp_path)
    image(path / "sample_he_image.ome.tif", mpp=0.8)
    with pytest.warns(UserWarning, match=r"the alignment says 0.5 µm per pixel, the image's header 0.8"):
        read_sections(path, spec=SPEC)


@pytest.mark.filterwarnings(LEFT_OUT)
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_xenium_tables_of_any_kind(form, tmp_path):
    (section,) = read_sections(xenium(tmp_path, form=form), spec=SPEC, pool_um=0)
    assert section.id == "sample"
    assert section.tiles.ids[0] == "cell000-1"


@pytest.mark.filterwarnings(LEFT_OUT)
def test_damaged_folders_are_sentences(tmp_path):
    path = cosmx(tmp_path, gz=False)
    places = path / "slide1_metadata_file.csv"
    text = places.read_text()
    places.write_text("\n".join(text.split("\n")[:9]))
    with pytest.raises(InputError, match="a place for every cell with counts expected, found none for"):
        read_sections(path, spec=SPEC)
    places.write_text("a;b;c\n1;2;3\n")
    with pytest.raises(InputError, match="columns separated by semicolons"):
        read_sections(path, spec=SPEC)
    path = merscope(tmp_path)
    matrix = path / "images" / "micron_to_mosaic_pixel_transform.csv"
    matrix.write_text("0 9 0\n9 0 0\n0 0 1\n")
    with pytest.raises(InputError, match="which scales and shifts, expected"):
        read_sections(path, spec=SPEC)
    matrix.unlink()
    with pytest.raises(InputError, match="found none: copy it beside the tables"):
        read_sections(path, spec=SPEC)
    path = xenium(tmp_path)
    (path / "sample_he_imagealignment.csv").write_text("1,0\n0,1\n")
    with pytest.raises(InputError, match=r"an alignment \(3 by 3 numbers"):
        read_sections(path, spec=SPEC)
    with gzip.open(path / "cells.csv.gz", "wt") as file:
        file.write("cell_id,x_centroid,y_centroid\ncell000-1,1,2\n")
    with pytest.raises(InputError, match="found none for 59 of 60"):
        read_sections(path, spec=SPEC)


@settings(deadline=None, max_examples=30)
@given(
    xy=st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=30),
    pitch_um=st.floats(5, 200),
    lattice=st.sampled_from(["square", "hexagonal"]),
)
def test_each_cell_goes_to_the_nearest_spot(xy, pitch_um, lattice):
    xy_um = np.array(xy)
    cells = AnnData(sparse.csr_matrix(np.eye(len(xy_um), dtype=np.int32)))
    pooled = pool(cells, xy_um, pitch_um=pitch_um, lattice=lattice)
    assert pooled.X.sum() == len(xy_um) == pooled.obs["n_cells"].sum()
    spot, cell = pooled.X.nonzero()
    off = np.abs(pooled.obsm["spatial"][spot] - xy_um[cell])
    far = np.sqrt((off**2).sum(axis=1)).max() if lattice == "hexagonal" else off.max()
    assert far <= pitch_um * (0.5 if lattice == "square" else 1 / np.sqrt(3)) * (1 + 1e-9)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="positive number of µm"):
            pool(cells, xy_um, pitch_um=bad, lattice=lattice)


def test_names_of_controls():
    controls = "NegPrb12 Negative4 SystemControl3 FalseCode9 Blank-12 BLANK_0006 NegControlProbe_00042 antisense_X"
    assert all(map(is_control, [*controls.split(), "NegControlCodeword_0500", "UnassignedCodeword_0001"]))
    assert not any(map(is_control, ["NEGR1", "ACTB", "BLNK", "SYS1", "NELFA"]))
