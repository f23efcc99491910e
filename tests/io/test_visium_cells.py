"""Cells that Space Ranger 4 segmented, read at the centres of their outlines."""

import json

import numpy as np
import pytest
import tifffile

import tenx_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.read import READERS, read_sections
from mclstexp.io.visium_cells import looks_like_visium_cells, read_visium_cells

CENTRES = [(40, 30), (90, 60), (155, 103)]
SIDE = 8
BARCODES = [f"cellid_{number:09d}-1" for number in (7, 12, 30)]


def _feature(number, centre, *, form="Polygon"):
    x, y, half = *centre, SIDE / 2
    ring = [
        [x - half, y - half],
        [x + half, y - half],
        [x + half, y + half],
        [x - half, y + half],
        [x - half, y - half],
    ]
    tiny = [[[0, 0], [1, 0], [0, 1], [0, 0]]]
    coordinates = [ring] if form == "Polygon" else [tiny, [ring]]
    return {
        "type": "Feature",
        "geometry": {"type": form, "coordinates": coordinates},
        "properties": {"cell_id": number, "classification": {"name": "a", "color": [1, 2, 3]}},
    }


@pytest.fixture
def outs(tmp_path):
    outs = tmp_path / "S1" / "outs"
    folder = outs / "segmented_outputs"
    (folder / "spatial").mkdir(parents=True)
    files.write_h5(folder / "filtered_feature_cell_matrix.h5", BARCODES, files.counts_of(3))
    numbers = [30, 7, 12, 99]  # neither the matrix's order nor its cells alone
    centres = [CENTRES[2], CENTRES[0], CENTRES[1], (5, 5)]
    forms = ["MultiPolygon", "Polygon", "Polygon", "Polygon"]
    features = [_feature(n, c, form=f) for n, c, f in zip(numbers, centres, forms, strict=True)]
    outlines = {"type": "FeatureCollection", "features": features}
    (folder / "cell_segmentations.geojson").write_text(json.dumps(outlines))
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps({"microns_per_pixel": 0.5}))
    tifffile.imwrite(outs / "image.tif", files.picture(files.hexagonal()), photometric="rgb")
    return outs


def test_cells_stand_at_the_centres_of_their_outlines(outs):
    for path in (outs.parent, outs, outs / "segmented_outputs"):
        section = read_visium_cells(path, spec=TileSpec(8, 0.5))
        assert (section.id, section.tiles.slide.mpp) == ("S1", 0.5)
        assert section.tiles.ids.tolist() == BARCODES
        assert np.allclose(section.tiles.xy, CENTRES)
    assert [section.tiles.read(i).mean() > 200 for i in range(3)] == [False, False, True]
    # a square of 8 px at half a micrometre is as large as this circle
    assert section.counts.uns == {"spot_diameter_um": pytest.approx(2 * np.sqrt(16 / np.pi))}
    assert section.counts.X.toarray()[:, 0].tolist() == [0, 1, 2]


def test_a_cell_without_an_outline_is_refused(outs):
    path = outs / "segmented_outputs" / "cell_segmentations.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [_feature(7, CENTRES[0])]}))
    with pytest.raises(InputError, match=r"S1: an outline .* found none for 2 of 3 \(first 'cellid_000000012-1'\)"):
        read_visium_cells(outs)
    path.write_text('{"type": "FeatureCollection"}')
    with pytest.raises(InputError, match=r"outlines of cells \(GeoJSON\) expected in .* found a part missing"):
        read_visium_cells(outs)


def test_bins_are_read_before_cells_and_cells_by_name(outs):
    assert [name for name, form in READERS.items() if form.looks_like(outs)] == ["visium_cells"]
    tissue = np.full((200, 200, 3), (180, 90, 160), np.uint8)
    tifffile.imwrite(outs / "image.tif", tissue, photometric="rgb")
    bins = outs / "binned_outputs" / "square_008um"
    table = files.hexagonal().assign(array_col=lambda t: t["array_col"] // 2, in_tissue=1)
    step = {"pxl_row_in_fullres": 20 + table["array_row"] * 16.0, "pxl_col_in_fullres": 20 + table["array_col"] * 16.0}
    files.write_positions(bins / "spatial", table.assign(**step), "parquet")
    files.write_h5(bins / "filtered_feature_bc_matrix.h5", table["barcode"].tolist(), files.counts_of(len(table)))
    (bins / "spatial" / "scalefactors_json.json").write_text(json.dumps({"microns_per_pixel": 0.5}))
    with pytest.warns(UserWarning, match=r"S1: bins are read, not the cells in segmented_outputs: format="):
        assert len(read_sections(outs)[0]) == 30
    assert len(read_sections(outs, format="visium_cells")[0]) == 3


def test_looks_like_visium_cells(outs, tmp_path):
    assert looks_like_visium_cells(outs.parent)
    assert not looks_like_visium_cells(tmp_path)
    assert not looks_like_visium_cells(tmp_path / "nowhere")
