import anndata as ad
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.h5ad import looks_like_h5ad, read_h5ad

SPEC = TileSpec(size_px=8, mpp=files.MPP)
POSITIONS = files.hexagonal()
XY = POSITIONS[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)


def _adata(**changes):
    counts = files.counts_of(len(POSITIONS))[:, :3].astype(np.float32)
    parts = {
        "X": counts,
        "obs": pd.DataFrame(index=POSITIONS["barcode"].to_numpy(object)),
        "var": pd.DataFrame(index=["ACTB", "KRT5", "CD3E"]),
        "obsm": {"spatial": XY},
    }
    return ad.AnnData(**(parts | changes))


def _write(folder, adata, image="s1_HE.png"):
    adata.write_h5ad(folder / "s1.h5ad")
    if image:
        Image.fromarray(files.picture(POSITIONS)).save(folder / image)
    return folder / "s1.h5ad"


@pytest.mark.parametrize("image", ["s1_HE.png", "s1.tif"])
def test_bright_square_lies_under_its_barcode(tmp_path, image):
    path = _write(tmp_path, _adata(), image)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "s10.png")
    section = read_h5ad(path, spec=SPEC, mpp=2.0)
    bright = [section.tiles.ids[i] for i in range(len(section)) if section.tiles.read(i).mean() > 200]
    assert bright == [f"AAAC{files.SQUARE:04d}-1"]
    assert (section.id, section.patient, section.tiles.slide.mpp) == ("s1", None, 2.0)
    assert section.counts.X.dtype == np.int32


def test_centres_from_obs_columns(tmp_path):
    obs = pd.DataFrame({"pixel_x": XY[:, 0], "pixel_y": XY[:, 1]}, index=POSITIONS["barcode"].to_numpy(object))
    section = read_h5ad(_write(tmp_path, _adata(obs=obs, obsm={})), mpp=2.0)
    assert np.array_equal(section.tiles.xy, XY)


def test_spots_beside_the_tissue_are_dropped(tmp_path):
    obs = POSITIONS.set_index("barcode")
    with pytest.warns(UserWarning, match=r"s1.h5ad: 3 of 30 spots lie beside the tissue by in_tissue and are left out"):
        section = read_h5ad(_write(tmp_path, _adata(obs=obs)))
    assert len(section) == 27
    assert np.array_equal(section.tiles.array_xy[1], [2, 0])


def test_raw_counts_are_found_where_they_are(tmp_path):
    whole = files.counts_of(len(POSITIONS))[:, :3].astype(np.float32)
    normalised = np.log1p(whole)
    layered = _adata(X=normalised, layers={"counts": whole})
    assert np.array_equal(read_h5ad(_write(tmp_path, layered), mpp=2.0).counts.X.toarray(), whole)
    raw = _adata()
    raw.raw = raw
    raw = raw[:, ["KRT5"]].copy()
    raw.X = np.log1p(raw.X)
    section = read_h5ad(_write(tmp_path, raw), mpp=2.0)
    assert section.genes == ("ACTB", "KRT5", "CD3E")
    with pytest.raises(
        InputError, match=r"s1.h5ad: raw counts \(whole numbers\) expected in X, layers\['counts'\] or raw.X"
    ):
        read_h5ad(_write(tmp_path, _adata(X=normalised)), mpp=2.0)


def _visium_uns(diameter_px):
    return {"spatial": {"lib": {"scalefactors": {"spot_diameter_fullres": diameter_px}}}}


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"uns": {"um_per_px": 2.0}}, {}),
        ({"obs": POSITIONS.set_index("barcode").assign(in_tissue=1)}, {}),
        ({"uns": _visium_uns(55 / 2)}, {}),
        ({"uns": _visium_uns(65 / 2)}, {}),
        ({}, {"pitch_um": 100.0}),
    ],
    ids=["uns", "array", "55 µm spots", "65 µm spots", "pitch"],
)
def test_mpp_from_what_the_file_knows(tmp_path, changes, options):
    section = read_h5ad(_write(tmp_path, _adata(**changes)), **options)
    assert section.tiles.slide.mpp == pytest.approx(2.0, rel=5e-3)


@pytest.mark.parametrize("uns", [{}, _visium_uns(20.0)], ids=["nothing", "not Visium"])
def test_unknown_mpp_is_asked_for(tmp_path, uns):
    with pytest.raises(InputError, match=r"s1: mpp unknown .* give mpp=, or pitch_um="):
        read_h5ad(_write(tmp_path, _adata(uns=uns)))


def test_an_array_that_is_not_hexagonal_says_nothing_of_the_scale(tmp_path):
    square = POSITIONS.set_index("barcode").assign(in_tissue=1, array_col=lambda t: t["array_col"] // 2)
    with pytest.raises(InputError, match=r"mpp unknown"):
        read_h5ad(_write(tmp_path, _adata(obs=square)))


def test_shared_symbols_are_told_apart_by_id(tmp_path):
    var = pd.DataFrame({"gene_ids": ["E1", "E2", "E3"]}, index=["A", "TBCE", "TBCE"])
    with pytest.warns(UserWarning, match=r"Variable names are not unique"):
        section = read_h5ad(_write(tmp_path, _adata(var=var)), mpp=2.0)
    assert section.genes == ("A", "TBCE_E2", "TBCE_E3")


def test_broken_pairs_are_refused_in_one_sentence(tmp_path):
    path = _write(tmp_path, _adata(obsm={}), image=None)
    with pytest.raises(InputError, match=r"spot centres in pixels expected as obsm\['spatial'\] in .*an empty obsm"):
        read_h5ad(path, mpp=2.0)
    path = _write(tmp_path, _adata(), image=None)
    with pytest.raises(
        InputError, match=r"one image named s1.\* or s1_\*.\* expected beside .*, found none: give image="
    ):
        read_h5ad(path, mpp=2.0)
    with pytest.raises(InputError, match=r"an image expected at .*lost.tif, found no such file"):
        read_h5ad(path, image=tmp_path / "lost.tif")
    _write(tmp_path, _adata(), image="s1_a.png")
    _write(tmp_path, _adata(), image="s1_b.png")
    with pytest.raises(InputError, match=r"found 2 \(s1_a.png, s1_b.png\): give image="):
        read_h5ad(path, mpp=2.0)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"an AnnData file \(h5ad\) expected in .*damaged"):
        read_h5ad(path, mpp=2.0)
    with pytest.raises(InputError, match=r"an AnnData file \(h5ad\) expected at .*none.h5ad"):
        read_h5ad(tmp_path / "none.h5ad")


def test_centres_that_lie_nowhere_are_counted(tmp_path):
    xy = XY.copy()
    xy[3] = np.nan
    with pytest.raises(InputError, match=r"tile centres must be finite, found NaN or infinity in 1 of 30 rows: drop"):
        read_h5ad(_write(tmp_path, _adata(obsm={"spatial": xy})), mpp=2.0)
    xy[3] = 1e300
    with pytest.raises(InputError, match=r"tile centres must be finite, found a place beyond 1e\+09 in 1 of 30 rows"):
        read_h5ad(_write(tmp_path, _adata(obsm={"spatial": xy})), mpp=2.0)
    with pytest.raises(InputError, match=r"\(column, row\) of each spot expected .* found \(30, 1\)"):
        read_h5ad(_write(tmp_path, _adata(obsm={"spatial": XY[:, :1]})), mpp=2.0)


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_capitals_and_zarr_are_read_as_well(tmp_path):
    _write(tmp_path, _adata()).rename(tmp_path / "s1.H5AD")
    _adata().write_zarr(tmp_path / "s2.zarr")
    Image.fromarray(files.picture(POSITIONS)).save(tmp_path / "s2.PNG")
    for name in ("s1.H5AD", "s2.zarr"):
        assert looks_like_h5ad(tmp_path / name)
        section = read_h5ad(tmp_path / name, mpp=2.0, spec=SPEC)
        assert section.id == name[:2]
        assert len(section) == 30
    (tmp_path / "s2.zarr" / ".zattrs").write_text("{")
    (tmp_path / "s2.zarr" / "zarr.json").unlink(missing_ok=True)
    assert not looks_like_h5ad(tmp_path / "s2.zarr")


def test_looks_like_h5ad(tmp_path):
    assert looks_like_h5ad(_write(tmp_path, _adata()))
    assert not looks_like_h5ad(tmp_path)


@pytest.mark.data
def test_mouse_colon_swiss_roll(data_dir):
    section = read_h5ad(data_dir / "mouse_colon_visium" / "section1.h5ad")
    assert (len(section), len(section.genes)) == (2604, 4338)
    assert section.tiles.slide.size_px == (7936, 8192)
    assert section.tiles.slide.mpp == pytest.approx(0.9707, abs=1e-4)
    by_pitch = read_h5ad(data_dir / "mouse_colon_visium" / "section1.h5ad", pitch_um=100.0)
    assert by_pitch.tiles.slide.mpp == pytest.approx(0.9707, rel=0.01)
    assert int(section.counts.X.sum()) == 11_159_158
