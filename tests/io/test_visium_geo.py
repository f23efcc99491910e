"""Space Ranger's files as GEO serves them: flat in one folder, behind the samples' names, packed."""

import gzip
import shutil

import pytest

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.read import READERS
from mclstexp.io.visium_geo import looks_like_visium_geo, read_visium_geo

SPEC = TileSpec(size_px=8, mpp=files.MPP)


def _pack(source, target):
    target.write_bytes(gzip.compress(source.read_bytes()))


def _add(folder, sample, *, matrix="h5"):
    """Lay one sample flat into `folder`."""
    outs = files.write_outs(folder / "made", form="list", matrix=matrix)
    for path in (outs / "spatial").iterdir():
        _pack(path, folder / f"{sample}{path.name}.gz")
    if matrix == "h5":
        shutil.copy(outs / "filtered_feature_bc_matrix.h5", folder / f"{sample}filtered_feature_bc_matrix.h5")
    else:
        for path in (outs / "filtered_feature_bc_matrix").iterdir():
            shutil.copy(path, folder / f"{sample}{path.name}")
    shutil.copy(outs / "image.tif", folder / f"{sample}image.tif")
    shutil.rmtree(folder / "made")
    return folder


def test_samples_are_told_apart_by_their_names(tmp_path):
    _add(tmp_path, "GSM1_A_")
    _add(tmp_path, "GSM2_A_2_", matrix="gz")
    _add(tmp_path, "GSM1_AB_")
    (tmp_path / "._GSM1_A_tissue_positions_list.csv.gz").write_bytes(b"twin")
    assert [name for name, form in READERS.items() if form.looks_like(tmp_path)] == ["visium_geo"]
    sections = read_visium_geo(tmp_path, spec=SPEC)
    assert [s.id for s in sections] == ["GSM1_A", "GSM1_AB", "GSM2_A_2"]
    for section in sections:
        assert [section.tiles.ids[i] for i in range(27) if section.tiles.read(i).mean() > 200] == ["AAAC0007-1"]
        assert section.tiles.slide.mpp == pytest.approx(files.MPP, rel=2e-3)
    assert [s.id for s in read_visium_geo(tmp_path, sections=["GSM1_AB"])] == ["GSM1_AB"]


def test_a_sample_without_a_name_is_named_after_its_folder(tmp_path):
    (tmp_path / "S1").mkdir()
    (section,) = read_visium_geo(_add(tmp_path / "S1", ""), spec=SPEC)
    assert section.id == "S1"


def test_what_is_missing_or_packed_is_named(tmp_path):
    _add(tmp_path, "GSM1_A_")
    _add(tmp_path, "GSM2_B_")
    with pytest.raises(InputError, match=r"found no 'GSM3' among GSM1_A, GSM2_B: choose sections="):
        read_visium_geo(tmp_path, sections=["GSM3"])
    with pytest.raises(InputError, match=r"one section expected at .* with image=, found 2"):
        read_visium_geo(tmp_path, image=tmp_path / "GSM1_A_image.tif")
    _pack(tmp_path / "GSM1_A_image.tif", tmp_path / "GSM1_A_image.tif.gz")
    (tmp_path / "GSM1_A_image.tif").unlink()
    with pytest.raises(InputError, match=r"GSM1_A: the full-resolution image .* packed \(GSM1_A_image.tif.gz\)"):
        read_visium_geo(tmp_path, sections=["GSM1_A"])
    (tmp_path / "GSM2_B_filtered_feature_bc_matrix.h5").rename(tmp_path / "GSM2_B_filtered_feature_bc_matrix.h5.gz")
    with pytest.raises(InputError, match=r"GSM2_B: a count matrix .* found it packed \(GSM2_B_.*h5.gz\): unpack"):
        read_visium_geo(tmp_path, sections=["GSM2_B"])


def test_a_folder_of_positions_alone_is_none(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    assert not looks_like_visium_geo(outs / "spatial")
    assert not looks_like_visium_geo(outs)
    assert not looks_like_visium_geo(tmp_path / "nowhere")
