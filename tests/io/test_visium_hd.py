import json
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.read import read_sections
from mclstexp.io.visium import looks_like_visium
from mclstexp.io.visium_hd import looks_like_visium_hd, read_visium_hd

MPP = 0.5
SPEC = TileSpec(size_px=8, mpp=MPP)
BRIGHT = "s_008um_00000_00007-1"


def _bins(bin_um, n_rows=6, n_cols=9):
    """Bins on a grid turned by 90°, as a slide put in sideways gives: array rows run along image columns."""
    row, col = (a.ravel() for a in np.meshgrid(np.arange(n_rows), np.arange(n_cols), indexing="ij"))
    step = bin_um / MPP
    return pd.DataFrame(
        {
            "barcode": [f"s_{bin_um:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(row, col, strict=True)],
            "in_tissue": (row < n_rows - 1).astype(int),
            "array_row": row,
            "array_col": col,
            "pxl_row_in_fullres": 30.0 + col * step,
            "pxl_col_in_fullres": 60.0 + row * step,
        }
    )


@pytest.fixture
def outs(tmp_path):
    outs = tmp_path / "HD1" / "outs"
    for bin_um in (8, 16):
        folder = outs / "binned_outputs" / f"square_{bin_um:03d}um"
        table = _bins(bin_um)
        files.write_positions(folder / "spatial", table, "parquet")
        inside = table["barcode"][table["in_tissue"] == 1].tolist()
        files.write_h5(folder / "filtered_feature_bc_matrix.h5", inside, files.counts_of(len(inside)))
        factors = {"microns_per_pixel": MPP, "bin_size_um": float(bin_um), "tissue_hires_scalef": 0.5}
        (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    tifffile.imwrite(outs / "HD1_tissue_image.btf", files.picture(_bins(8), size_px=(200, 180)), photometric="rgb")
    return outs


def _factors(outs, **changes):
    path = outs / "binned_outputs" / "square_008um" / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_bright_square_lies_under_its_barcode(outs):
    section = read_visium_hd(outs.parent, spec=SPEC)
    bright = [section.tiles.ids[i] for i in range(len(section)) if section.tiles.read(i).mean() > 200]
    # bin 7 of row 0 lies 7·16 px down the image
    assert bright == [BRIGHT]
    assert section.tiles.xy[7].tolist() == [60, 142]
    assert section.counts[BRIGHT].X.toarray()[0].tolist() == [7, 1, 2, 3]
    assert (section.id, len(section), section.tiles.slide.mpp) == ("HD1", 45, MPP)
    assert section.counts.uns == {"pitch_um": 8.0, "spot_diameter_um": 8.0}


def test_other_bins_and_other_roots(outs):
    section = read_visium_hd(outs / "binned_outputs", bin_um=16, image=outs / "HD1_tissue_image.btf")
    assert section.tiles.ids[1] == "s_016um_00000_00001-1"
    assert section.tiles.xy[1].tolist() == [60, 62]


def test_hires_image_by_name(outs):
    spatial = outs / "binned_outputs" / "square_008um" / "spatial"
    Image.fromarray(files.picture(_bins(8), scale=0.5, size_px=(200, 180))).save(spatial / "tissue_hires_image.png")
    section = read_visium_hd(outs, image=spatial / "tissue_hires_image.png", spec=TileSpec(4, 1.0))
    assert section.tiles.slide.mpp == 1.0
    assert section.tiles.xy[7].tolist() == [30, 71]
    assert section.tiles.read(7).mean() > 200


def test_mpp_is_checked_against_the_bins(outs):
    _factors(outs, microns_per_pixel=None)
    assert read_visium_hd(outs).tiles.slide.mpp == pytest.approx(MPP)
    _factors(outs, microns_per_pixel=1.0)
    with pytest.warns(UserWarning, match=r"says 1 µm per pixel, the spots' spacing 0.5"):
        assert read_visium_hd(outs).tiles.slide.mpp == 1.0


def test_absent_bins_are_listed(outs, tmp_path):
    with pytest.raises(InputError, match=r"bins of 2 µm \(square_002um\) expected in .*, found 8 µm, 16 µm"):
        read_visium_hd(outs, bin_um=2)
    with pytest.raises(InputError, match=r"bins of 8 µm .* found no folder of bins"):
        read_visium_hd(tmp_path / "nowhere")


def test_a_folder_of_bins_is_read_by_itself_and_named_after_its_sample(outs):
    path = outs / "binned_outputs" / "square_016um"
    for name in ("square_016um", "mine"):
        path = path.rename(path.with_name(name))
        assert looks_like_visium_hd(path)
        section = read_visium_hd(path)
        assert (section.id, section.tiles.ids[1], section.tiles.slide.mpp) == ("HD1", "s_016um_00000_00001-1", MPP)
        assert section.counts.uns == {"pitch_um": 16.0, "spot_diameter_um": 16.0}
    with pytest.raises(InputError, match=r"bins of 8 µm .* found 16 µm: give bin_um="):
        read_visium_hd(path, bin_um=8)


def test_the_only_bins_there_are_read_and_others_can_be_chosen(outs):
    tissue = np.full((400, 400, 3), (180, 90, 160), np.uint8)
    tifffile.imwrite(outs / "HD1_tissue_image.btf", tissue, photometric="rgb")
    assert read_sections(outs, bin_um=16)[0].counts.uns["pitch_um"] == 16
    shutil.rmtree(outs / "binned_outputs" / "square_008um")
    with pytest.warns(UserWarning, match=r"HD1: bins of 16 µm are read, the only ones there"):
        assert read_visium_hd(outs).counts.uns["pitch_um"] == 16


def test_bins_that_are_of_another_size_than_their_folder_says(outs):
    shutil.rmtree(outs / "binned_outputs" / "square_008um")
    (outs / "binned_outputs" / "square_016um").rename(outs / "binned_outputs" / "square_008um")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read_visium_hd(outs)
    said = [str(warning.message) for warning in told]
    assert "HD1: bins are read as 8 µm wide, the scale factors say 16: bin_um= settles it" in said
    assert "HD1: bins are read as 8 µm wide, the barcodes say 16: bin_um= settles it" in said
    assert any("the scale factors says 0.5 µm per pixel, the spots' spacing 0.25" in sentence for sentence in said)


def test_damaged_parquet_and_strange_barcodes_are_refused(outs):
    path = outs / "binned_outputs" / "square_008um" / "spatial" / "tissue_positions.parquet"
    table = pd.read_parquet(path)
    table.assign(barcode=table["barcode"] + "x").to_parquet(path)
    with pytest.raises(InputError, match=r"HD1: every barcode .* must have a position, found 45 of 45"):
        read_visium_hd(outs)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"tissue positions expected in .*parquet, found a file that is damaged"):
        read_visium_hd(outs)


def test_looks_like_visium_hd(outs):
    assert looks_like_visium_hd(outs)
    assert looks_like_visium_hd(outs.parent)
    assert not looks_like_visium_hd(outs / "HD1_tissue_image.btf")
    assert not looks_like_visium(outs)
    assert not looks_like_visium_hd(files.write_outs(outs / "plain"))
