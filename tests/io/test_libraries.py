"""AnnData files in which several libraries were merged: parted where each has its image, refused otherwise."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.h5ad import read_h5ad, read_libraries
from mclstexp.io.read import read_sections

SPEC = TileSpec(size_px=8, mpp=files.MPP)
POSITIONS = files.hexagonal().assign(in_tissue=1)
XY = POSITIONS[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)


def _library(shift=0.0, *, array=False):
    columns = ["array_row", "array_col"] if array else []
    obs = POSITIONS.set_index("barcode")[columns]
    genes = pd.DataFrame(index=["ACTB", "KRT5", "CD3E"])
    counts = files.counts_of(len(POSITIONS))[:, :3].astype(np.float32)
    return ad.AnnData(counts, obs=obs, var=genes, obsm={"spatial": XY + shift})


def _merged(folder, *, column="library_id", shift=13.0, images=("s1", "s2"), entries=("s1", "s2"), array=False):
    merged = ad.concat({"s1": _library(array=array), "s2": _library(shift, array=array)}, label="x", index_unique="-")
    if column:
        merged.obs[column] = merged.obs["x"].to_numpy()
    del merged.obs["x"]
    if entries:
        merged.uns["spatial"] = {name: {"scalefactors": {"spot_diameter_fullres": 32.5}} for name in entries}
    merged.uns["mpp"] = 2.0
    merged.write_h5ad(folder / "merged.h5ad")
    for name in images:
        Image.fromarray(files.picture(POSITIONS)).save(folder / f"{name}.png")
    return folder / "merged.h5ad"


@pytest.mark.parametrize("column", ["library_id", "sample", "anything"])
def test_each_library_is_a_section_on_its_own_image(tmp_path, column):
    sections = read_libraries(_merged(tmp_path, column=column), spec=SPEC)
    assert [(s.id, len(s), s.tiles.slide.path.name) for s in sections] == [("s1", 30, "s1.png"), ("s2", 30, "s2.png")]
    assert np.array_equal(sections[1].tiles.xy, XY + 13)
    assert list(sections[1].counts.uns["spatial"]) == ["s2"]


def test_names_of_spots_tell_libraries_where_no_column_does(tmp_path):
    assert [s.id for s in read_libraries(_merged(tmp_path, column=None))] == ["s1", "s2"]


def test_one_image_for_two_libraries_is_refused(tmp_path):
    path = _merged(tmp_path, images=("s1",))
    with pytest.raises(InputError, match=r"merged.h5ad: one section .* found 2 libraries \(s1, s2\): lay .*\(s2.\*\)"):
        read_libraries(path)
    with pytest.raises(InputError, match=r"found 2 libraries \(s1, s2\)"):
        read_libraries(path, image=tmp_path / "s1.png")
    with pytest.raises(InputError, match=r"found 2 libraries \(s1, s2\)"):
        read_h5ad(path, image=tmp_path / "s1.png")


@pytest.mark.filterwarnings("ignore:s[12]. .*tissue")
@pytest.mark.filterwarnings("ignore:s[12]. only")
def test_one_library_is_chosen_by_name_with_the_image_that_is_given(tmp_path):
    path = _merged(tmp_path, images=())
    Image.fromarray(files.picture(POSITIONS)).save(tmp_path / "he.png")
    (section,) = read_sections(path, image=tmp_path / "he.png", sections=["s2"])
    assert (section.id, len(section)) == ("s2", 30)


@pytest.mark.parametrize("shift", [0.0, 13.0])
@pytest.mark.parametrize("column", ["sample", "batch"])
def test_spots_that_lie_on_each_other_are_parted_without_entries(tmp_path, column, shift):
    path = _merged(tmp_path, column=column, shift=shift, entries=())
    assert [s.id for s in read_libraries(path)] == ["s1", "s2"]


def test_samples_beside_each_other_on_one_image_stay_one_section(tmp_path):
    path = _merged(tmp_path, column="sample", shift=1000.0, entries=(), images=("merged",))
    assert [(s.id, len(s)) for s in read_libraries(path)] == [("merged", 60)]


def test_libraries_that_nothing_tells_apart_are_refused(tmp_path):
    path = _merged(tmp_path, column=None, entries=("a", "b"), images=("merged",))
    with pytest.raises(InputError, match=r"library of every spot expected .* names 2 \(a, b\), found none: add obs"):
        read_libraries(path)
    path = _merged(tmp_path, column=None, entries=(), array=True, images=("merged",))
    with pytest.raises(InputError, match=r"found array places that occur twice and no column of obs"):
        read_libraries(path)


def test_what_is_left_of_a_merged_object_is_one_library(tmp_path):
    one = _library()
    one.obs["library_id"] = "s2"
    one.uns |= {"spatial": {"s1": {"scalefactors": {}}, "s2": {"scalefactors": {}}}, "mpp": 2.0}
    one.write_h5ad(tmp_path / "part.h5ad")
    Image.fromarray(files.picture(POSITIONS)).save(tmp_path / "part.png")
    section = read_h5ad(tmp_path / "part.h5ad")
    assert section.id == "part"
    assert list(section.counts.uns["spatial"]) == ["s2"]
