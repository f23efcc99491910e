import json

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.hest import looks_like_hest, read_hest
from mclstexp.io.patches import PATCH_SPEC, PatchSlide

MPP = 0.8
SIDE_PX = 140
"""112 µm at 0.8 µm/px."""
XY = np.array([[200.0, 100.0], [350.0, 100.0], [500.0, 260.0], [90.0, 400.0]])
BARCODES = ["A", "B", "C", "D"]
SQUARE = 2


def _slide():
    image = np.full((520, 640, 3), 40, np.uint8)
    x, y = XY[SQUARE].astype(int)
    image[y - 70 : y + 70, x - 70 : x + 70] = 250
    return image


def _write_table(root, name="TENX1", folder="st"):
    (root / folder).mkdir(parents=True, exist_ok=True)
    counts = np.arange(8, dtype=np.float32).reshape(4, 2)
    obs, var = pd.DataFrame({"in_tissue": 1}, index=BARCODES), pd.DataFrame(index=["g1", "g2"])
    ad.AnnData(X=counts, obs=obs, var=var, obsm={"spatial": XY}).write_h5ad(root / folder / f"{name}.h5ad")


def _write_patches(root, name="TENX1", side=224):
    """Patches of spots D, C and B in this order; A has none, as happens at the tissue's edge."""
    (root / "patches").mkdir(exist_ok=True)
    order = [3, 2, 1]
    with h5py.File(root / "patches" / f"{name}.h5", "w") as file:
        shades = np.array([40 if i != SQUARE else 250 for i in order], np.uint8)
        file["img"] = np.broadcast_to(shades[:, None, None, None], (3, side, side, 3))
        file["coords"] = (XY[order] - SIDE_PX / 2).astype(int)
        file["barcode"] = np.array([[BARCODES[i]] for i in order], "S")


def _write_wsi(root, name="TENX1", **tags):
    (root / "wsis").mkdir(exist_ok=True)
    tifffile.imwrite(root / "wsis" / f"{name}.tif", _slide(), photometric="rgb", **tags)


def _write_metadata(root, name="TENX1", **fields):
    (root / "metadata").mkdir(exist_ok=True)
    (root / "metadata" / f"{name}.json").write_text(json.dumps(fields))


def _bright(section):
    return [section.tiles.ids[i] for i in range(len(section)) if section.tiles.read(i).mean() > 200]


def test_slide_with_metadata(tmp_path):
    _write_table(tmp_path)
    _write_wsi(tmp_path)
    _write_metadata(tmp_path, pixel_size_um_estimated=MPP, patient="Patient 7")
    (section,) = read_hest(tmp_path, spec=TileSpec(32, 2.0))
    assert _bright(section) == ["C"]
    assert (section.id, section.patient, section.tiles.slide.mpp, len(section)) == ("TENX1", "Patient 7", MPP, 4)
    assert section.counts["C"].X.toarray()[0].tolist() == [4, 5]


def test_scale_from_the_slide_where_there_is_no_metadata(tmp_path):
    _write_table(tmp_path, folder="adata")
    _write_wsi(tmp_path, resolution=(12500, 12500), resolutionunit=3)
    (section,) = read_hest(tmp_path)
    assert section.tiles.slide.mpp == pytest.approx(MPP)
    assert section.patient is None


def test_patches_stand_in_for_the_slide(tmp_path):
    _write_table(tmp_path)
    _write_patches(tmp_path)
    (section,) = read_hest(tmp_path)
    assert section.tiles.ids.tolist() == ["B", "C", "D"]
    assert _bright(section) == ["C"]
    # half the distance from corner to centre is 70 px: 112 µm / 140 px
    assert section.tiles.slide.mpp == pytest.approx(MPP)
    assert section.counts["C"].X.toarray()[0].tolist() == [4, 5]


def test_patches_are_read_only_as_stored(tmp_path):
    _write_table(tmp_path)
    _write_patches(tmp_path)
    with pytest.raises(InputError, match=r"224 px at 0.5 µm/px are all that is stored, found 224 px at 1 asked"):
        read_hest(tmp_path, spec=TileSpec(224, 1.0))
    (section,) = read_hest(tmp_path)
    with pytest.raises(InputError, match=r"found none centred on \(300, 300\)"):
        section.tiles.slide.read([300, 300], PATCH_SPEC)
    with pytest.raises(InputError, match=r"all that is stored"):
        section.tiles.slide.read(XY[2], TileSpec(112, 0.5))


def test_patch_slide_thumbnail_and_fingerprint(tmp_path):
    _write_table(tmp_path)
    _write_patches(tmp_path)
    slide = PatchSlide(tmp_path / "patches" / "TENX1.h5", id="s", mpp=MPP, size_px=(640, 520))
    small = slide.thumbnail(320)
    assert small.shape == (260, 320, 3)
    assert [small[y, x, 0] for x, y in (XY // 2).astype(int)] == [255, 40, 250, 40]
    before = slide.fingerprint()
    assert before == slide.fingerprint()
    with h5py.File(tmp_path / "patches" / "TENX1.h5", "r+") as file:
        file["img"][0, 0, 0, 0] = 1
    assert slide.fingerprint() != before


def test_metadata_that_disagrees_with_the_patches_is_said(tmp_path):
    _write_table(tmp_path)
    _write_patches(tmp_path)
    _write_metadata(tmp_path, pixel_size_um_estimated=0.75, patient=float("nan"))
    with pytest.warns(UserWarning, match=r"TENX1: .* 0.75 µm per pixel, the spots' spacing 0.8"):
        (section,) = read_hest(tmp_path)
    assert section.patient is None


def test_samples_are_chosen_by_id(tmp_path):
    for name in ("TENX1", "TENX2", "TENX3"):
        _write_table(tmp_path, name)
        _write_patches(tmp_path, name)
    assert [section.id for section in read_hest(tmp_path)] == ["TENX1", "TENX2", "TENX3"]
    assert [section.id for section in read_hest(tmp_path, sections=["TENX3", "TENX1"])] == ["TENX3", "TENX1"]
    with pytest.raises(InputError, match=r"found no 'X' among TENX1, TENX2, TENX3: choose sections="):
        read_hest(tmp_path, sections=["X"])


def test_broken_folders_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"a HEST folder with st/\*.h5ad \(or adata/\*.h5ad\) expected at"):
        read_hest(tmp_path)
    _write_table(tmp_path)
    with pytest.raises(InputError, match=r"a slide at .*TENX1.tif or patches at .*TENX1.h5 expected, found neither"):
        read_hest(tmp_path)
    _write_patches(tmp_path, side=100)
    with pytest.raises(InputError, match=r"patches of shape \(n, 224, 224, 3\) .* found img \(3, 100, 100, 3\)"):
        read_hest(tmp_path)
    _write_patches(tmp_path)
    with h5py.File(tmp_path / "patches" / "TENX1.h5", "r+") as file:
        file["barcode"][:] = np.array([["X"], ["Y"], ["Z"]], "S")
    with pytest.raises(InputError, match=r"patches and counts must share barcodes, found none of 'A', … among 'X'"):
        read_hest(tmp_path)
    _write_metadata(tmp_path)
    (tmp_path / "metadata" / "TENX1.json").write_text("{")
    with pytest.raises(InputError, match=r"HEST metadata \(JSON\) expected in .* damaged"):
        read_hest(tmp_path)


def test_looks_like_hest(tmp_path):
    _write_table(tmp_path)
    assert not looks_like_hest(tmp_path)
    _write_patches(tmp_path)
    assert looks_like_hest(tmp_path)
