import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.visium import looks_like_visium, read_visium

SPEC = TileSpec(size_px=8, mpp=files.MPP)
BRIGHT = f"AAAC{files.SQUARE:04d}-1"


def _bright(section):
    """Barcodes whose tile is bright."""
    tiles = section.tiles
    return [tiles.ids[i] for i in range(len(tiles)) if tiles.read(i).mean() > 200]


@pytest.mark.parametrize("form", ["list", "list+header", "csv", "parquet"])
def test_bright_square_lies_under_its_barcode(tmp_path, form):
    section = read_visium(files.write_outs(tmp_path / "S1", form=form), spec=SPEC)
    assert _bright(section) == [BRIGHT]
    spot = section.counts[BRIGHT].obs.iloc[0]
    # spot 7 is the second of row 1: column 1 + 2·1 = 3, so x = 80 + 3·25 and y = 60 + 25·√3
    assert (spot.array_row, spot.array_col, spot.pxl_col_in_fullres, spot.pxl_row_in_fullres) == (1, 3, 155, 103)
    assert section.tiles.xy[files.SQUARE].tolist() == [155, 103]
    assert section.tiles.array_xy[files.SQUARE].tolist() == [3, 1]


@pytest.mark.parametrize("matrix", ["h5", "gz", "plain", "v2"])
def test_counts_of_every_kind_of_matrix(tmp_path, matrix):
    section = read_visium(files.write_outs(tmp_path / "S1", matrix=matrix), spec=SPEC, patient="P1")
    assert (section.id, section.patient, len(section)) == ("S1", "P1", 27)
    # version 2 knows no feature types, so that its antibody counts as a gene
    genes = ("ACTB", "TBCE_ENSG2", "KRT5", "TBCE_ENSG4", "CD3")
    assert section.genes == (genes if matrix == "v2" else genes[:4])
    assert section.counts.var["gene_id"].tolist()[:4] == ["ENSG1", "ENSG2", "ENSG3", "ENSG4"]
    assert section.counts[BRIGHT].X.toarray()[0, :4].tolist() == [files.SQUARE, 1, 2, 3]
    assert section.counts.uns == {"pitch_um": 100.0, "spot_diameter_um": 55.0}


def test_mpp_follows_from_the_pitch(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    assert read_visium(outs).tiles.slide.mpp == pytest.approx(files.MPP, rel=2e-3)
    assert read_visium(outs, mpp=1.98).tiles.slide.mpp == 1.98


def test_a_given_or_stored_mpp_that_disagrees_is_said(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    with pytest.warns(UserWarning, match=r"the given mpp says 1 µm per pixel, the spots' spacing 2"):
        assert read_visium(outs, mpp=1.0).tiles.slide.mpp == 1.0
    # 2500 pixels a cm are 4 µm per pixel
    picture = files.picture(files.hexagonal())
    tifffile.imwrite(outs / "image.tif", picture, photometric="rgb", resolution=(2500, 2500), resolutionunit=3)
    with pytest.warns(UserWarning, match=r"the image's header 4"):
        assert read_visium(outs).tiles.slide.mpp == pytest.approx(2.0, rel=2e-3)


def test_the_raw_matrix_serves_and_spots_beside_tissue_are_dropped(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    barcodes = files.hexagonal()["barcode"].tolist()
    files.write_h5(outs / "raw_feature_bc_matrix.h5", barcodes, files.counts_of(len(barcodes)))
    with pytest.warns(UserWarning, match=r"S1: 3 of 30 spots lie beside the tissue by in_tissue and are left out"):
        section = read_visium(tmp_path / "S1")
    assert len(section) == 27
    assert set(section.counts.obs["in_tissue"]) == {1}


def test_hires_image_is_read_only_by_name_with_coordinates_scaled(tmp_path):
    outs = files.write_outs(tmp_path / "S1", image=None)
    hires = outs / "spatial" / "tissue_hires_image.png"
    Image.fromarray(files.picture(files.hexagonal(), scale=0.5)).save(hires)
    with pytest.raises(InputError, match=r"full-resolution image .* expected .* give image="):
        read_visium(outs)
    section = read_visium(outs, image=hires, spec=TileSpec(4, 4.0))
    assert _bright(section) == [BRIGHT]
    assert section.tiles.xy[files.SQUARE].tolist() == [77.5, 51.5]
    assert section.tiles.slide.mpp == pytest.approx(4.0, rel=2e-3)
    assert section.counts.uns["image_scale"] == 0.5
    assert section.counts.obs["pxl_col_in_fullres"].iloc[files.SQUARE] == 155


def test_image_beside_outs_and_names_of_the_download_site(tmp_path):
    outs = files.write_outs(tmp_path / "S1", image=None)
    picture = files.picture(files.hexagonal())
    tifffile.imwrite(tmp_path / "S1" / "Breast_image.tif", picture, photometric="rgb")
    tifffile.imwrite(tmp_path / "S1" / "other.tif", picture, photometric="rgb")
    (outs / "filtered_feature_bc_matrix.h5").rename(outs / "Breast_filtered_feature_bc_matrix.h5")
    assert _bright(read_visium(outs, spec=SPEC)) == [BRIGHT]
    (tmp_path / "S1" / "Breast_image.tif").rename(tmp_path / "S1" / "Breast.tif")
    with pytest.raises(InputError, match=r"found 2 \(Breast.tif, other.tif\): give image="):
        read_visium(outs)


def _change_factors(outs, **changes):
    path = outs / "spatial" / "scalefactors_json.json"
    path.write_text("\ufeff" + json.dumps(json.loads(path.read_text(encoding="utf-8-sig")) | changes), encoding="utf-8")


def test_tables_may_be_packed_or_carry_a_byte_order_mark(tmp_path):
    outs = files.write_outs(tmp_path / "S1", matrix="gz")
    spatial = outs / "spatial"
    for name in ("tissue_positions.csv", "scalefactors_json.json"):
        text = (spatial / name).read_text()
        _write_gz(spatial / f"{name}.gz", "\ufeff" + text)
        (spatial / name).unlink()
    assert looks_like_visium(outs)
    assert _bright(read_visium(outs, spec=SPEC)) == [BRIGHT]
    matrix = outs / "filtered_feature_bc_matrix"
    packed = gzip.decompress((matrix / "barcodes.tsv.gz").read_bytes())
    (matrix / "barcodes.tsv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + packed))
    assert _bright(read_visium(outs, spec=SPEC)) == [BRIGHT]


def test_a_packed_matrix_or_image_is_named(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    (outs / "image.tif").rename(outs / "image.tif.gz")
    with pytest.raises(InputError, match=r"full-resolution image expected .* packed \(image.tif.gz\): unpack it"):
        read_visium(outs)
    (outs / "filtered_feature_bc_matrix.h5").rename(outs / "filtered_feature_bc_matrix.h5.gz")
    with pytest.raises(InputError, match=r"count matrix expected .* packed \(filtered_feature_bc_matrix.h5.gz\)"):
        read_visium(outs)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a;1;0;0;5;5\nb;1;0;2;5;9\n", "columns separated by semicolons: save it with commas"),
        ("barcode\tin_tissue\tarray_row\n", "columns separated by tabs: save it with commas"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of git-lfs: fetch the file itself"),
        ("<html>\n", "'<html>' as its first line: fetch it again"),
    ],
)
def test_positions_that_are_no_table_of_commas(tmp_path, text, found):
    outs = files.write_outs(tmp_path / "S1")
    (outs / "spatial" / "tissue_positions.csv").write_text(text)
    with pytest.raises(InputError, match=rf"tissue positions \(csv\) expected in .*positions.csv, found {found}"):
        read_visium(outs)


def test_an_aggregation_is_refused_in_each_of_its_forms(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    table = files.hexagonal()
    other = table.assign(barcode=table["barcode"].str.replace("-1", "-2"))
    both = pd.concat([table, other])
    files.write_h5(outs / "filtered_feature_bc_matrix.h5", both["barcode"].tolist(), files.counts_of(len(both)))
    told = r"S1: one sample expected, found an aggregation of several samples .* give each sample's own folder"
    with pytest.raises(InputError, match=told):
        read_visium(outs)
    both.to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    with pytest.raises(InputError, match=r"barcodes end in -1, -2\): give each"):
        read_visium(outs, mpp=2.0)
    (outs / "spatial" / "tissue_positions.csv").rename(outs / "spatial" / "aggr_tissue_positions.csv")
    assert looks_like_visium(outs)
    with pytest.raises(InputError, match=told):
        read_visium(outs)


def test_a_link_to_a_sample_carries_its_own_name(tmp_path):
    files.write_outs(tmp_path / "run_17" / "count")
    (tmp_path / "S1").symlink_to(tmp_path / "run_17" / "count")
    assert read_visium(tmp_path / "S1").id == "S1"


def test_places_of_no_array_are_said(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    rng = np.random.default_rng(0)
    _rewrite_positions(outs, lambda t: t.assign(array_col=rng.permutation(t["array_col"])))
    with pytest.warns(UserWarning, match=r"S1: the places do not follow Visium's array"):
        read_visium(outs, mpp=2.0)


def test_a_wrong_spot_diameter_is_said(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    _change_factors(outs, spot_diameter_fullres=60.0)
    with pytest.warns(UserWarning, match=r"spots are said to be 60 px wide and lie 50 px apart, but Visium's are 55"):
        read_visium(outs)


def test_a_broken_reduced_picture_is_passed_over_aloud(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    (outs / "spatial" / "tissue_hires_image.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"S1: the image is not compared with tissue_hires_image.png"):
        assert len(read_visium(outs)) == 27


def test_looks_like_visium(tmp_path):
    outs = files.write_outs(tmp_path / "S1")
    assert looks_like_visium(outs)
    assert looks_like_visium(tmp_path / "S1")
    assert not looks_like_visium(outs / "spatial")
    assert not looks_like_visium(outs / "image.tif")


def _cut(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _rewrite_positions(outs, change):
    path = outs / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path, dtype=str)
    change(table).to_csv(path, index=False)


def _write_gz(path, text):
    with gzip.open(path, "wt") as file:
        file.write(text)


BREAKAGES = {
    "no positions": (
        lambda o: (o / "spatial" / "tissue_positions.csv").unlink(),
        r"tissue positions expected in .*spatial, found none: looked for tissue_positions.csv, ",
    ),
    "no matrix": (
        lambda o: (o / "filtered_feature_bc_matrix.h5").unlink(),
        r"count matrix expected in .*outs, found none",
    ),
    "cut h5": (lambda o: _cut(o / "filtered_feature_bc_matrix.h5"), r"10x count matrix .* damaged or of another kind"),
    "empty positions": (lambda o: _cut(o / "spatial" / "tissue_positions.csv", 0), r"tissue positions expected in"),
    "missing column": (
        lambda o: _rewrite_positions(o, lambda t: t.drop(columns="array_row")),
        r"tissue positions expected in .* found a part missing .*array_row",
    ),
    "not a number": (
        lambda o: _rewrite_positions(o, lambda t: t.assign(pxl_row_in_fullres="far")),
        r"numbers expected in every row of .* in 30 of 30 rows \(first at barcode AAAC0029-1\)",
    ),
    "repeated barcode": (
        lambda o: _rewrite_positions(o, lambda t: pd.concat([t, t[:1]])),
        r"each barcode once expected in .* found 'AAAC0029-1' more than once",
    ),
    "other barcodes": (
        lambda o: _rewrite_positions(o, lambda t: t.assign(barcode=t["barcode"].str.removesuffix("-1"))),
        r"S1: every barcode .* must have a position, found 27 of 27 without \(first 'AAAC0000-1', .*'AAAC0029'\)",
    ),
    "all beside the tissue": (
        lambda o: _rewrite_positions(o, lambda t: t.assign(in_tissue="0")),
        r"spots under tissue expected, found none",
    ),
    "fractional counts": (
        lambda o: files.write_h5(
            o / "filtered_feature_bc_matrix.h5",
            files.hexagonal()["barcode"][:27],
            files.counts_of(27).astype(float) + 0.5,
        ),
        r"section S1: raw integer counts expected, found a fractional value",
    ),
    "repeated barcode in the matrix": (
        lambda o: files.write_h5(o / "filtered_feature_bc_matrix.h5", ["AAAC0001-1"] * 2, files.counts_of(2)),
        r"each barcode once expected in .*h5, found 'AAAC0001-1'",
    ),
    "no genes": (
        lambda o: files.write_h5(
            o / "filtered_feature_bc_matrix.h5", ["A-1"], files.counts_of(1), files.FEATURES.assign(type="Custom")
        ),
        r"features of type 'Gene Expression' expected in .*, found only Custom",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_folders_are_refused_in_one_sentence(tmp_path, name):
    outs = files.write_outs(tmp_path / "S1")
    breaks, message = BREAKAGES[name]
    breaks(outs)
    with pytest.raises(InputError, match=message) as error:
        read_visium(outs)
    assert "\n" not in str(error.value)


def test_a_broken_trio_is_refused(tmp_path):
    outs = files.write_outs(tmp_path / "S1", matrix="gz")
    folder = outs / "filtered_feature_bc_matrix"
    _write_gz(folder / "barcodes.tsv.gz", "AAAC0000-1\n")
    with pytest.raises(InputError, match=r"1 barcodes and 5 features expected .* found 27 and 5"):
        read_visium(outs)
    _cut(folder / "matrix.mtx.gz")
    with pytest.raises(InputError, match=r"a count matrix \(Matrix Market\) expected in .*matrix.mtx.gz"):
        read_visium(outs)
    (folder / "barcodes.tsv.gz").unlink()
    (folder / "matrix.mtx.gz").unlink()
    with pytest.raises(InputError, match=r"count matrix expected in .* looked for matrix.mtx.gz, matrix.mtx"):
        read_visium(outs)


def test_bad_scale_factors_are_refused(tmp_path):
    outs = files.write_outs(tmp_path / "S1", image="spatial/tissue_hires_image.tif")
    image = outs / "spatial" / "tissue_hires_image.tif"
    path = outs / "spatial" / "scalefactors_json.json"
    for text, message in (
        ("{", r"scale factors \(JSON\) expected in .* damaged"),
        ("[]", "a JSON object of scale factors expected in .*, found a list"),
        (json.dumps({"tissue_hires_scalef": 0}), "a positive tissue_hires_scalef expected in .*, found 0"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_visium(outs, image=image)


def test_absent_paths_and_wrong_scales_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a Space Ranger folder expected at"):
        read_visium(tmp_path / "nowhere")
    outs = files.write_outs(tmp_path / "S1")
    with pytest.raises(InputError, match=r"an image expected at .*lost.tif, found no such file"):
        read_visium(outs, image=tmp_path / "lost.tif")
    with pytest.raises(InputError, match=r"mpp must be a positive number"):
        read_visium(outs, mpp=-1.0)
    _rewrite_positions(outs, lambda t: t.assign(array_row="3"))
    with pytest.raises(InputError, match=r"S1: mpp unknown .* give mpp="):
        read_visium(outs)


def test_reading_leaves_no_warning_and_no_writable_geometry(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # what packages announce to each other
        section = read_visium(files.write_outs(tmp_path / "S1"))
    assert not section.tiles.xy.flags.writeable
    assert np.array_equal(section.counts.obsm["spatial"], section.tiles.xy)
