"""The lines of docs/opening.md and the README open a prediction: scanpy and squidpy draw tiles where they lie."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps

from made_prediction import UNREADABLE, corner_slide, made_prediction
from mclstexp.io.predictions import write_prediction
from mclstexp.whole_slide.pictures import spatial_entry

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "opening.md").read_text(encoding="utf-8")
README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
(IN_README,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "squidpy" in block]
BLOCKS = dict(re.findall(r"^## (\w+)\n(?:(?!## ).*\n)*?```python\n((?:.*\n)*?)```", PAGE, re.MULTILINE))
DRAWN = """
def drawn(ax):
    ax.figure.canvas.draw()  # colours are made then
    (patches,) = [c for c in ax.collections if len(c.get_paths()) > 1]
    boxes = np.array([p.get_extents().get_points().ravel() for p in patches.get_paths()])
    picture = ax.images[0]
    return {"boxes": boxes.tolist(), "colours": patches.get_facecolors().tolist(), "extent": picture.get_extent(),
            "shape": picture.get_array().shape, "xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
"""


@pytest.fixture(scope="module")
def predicted():
    slide = corner_slide((3001, 1400), id="biopsy")
    predicted = made_prediction(slide, stride_um=224.0)
    predicted.var_names = ["CD74", *predicted.var_names[1:]]
    predicted.uns["spatial"] = {slide.id: spatial_entry(slide, spot_px=28.0)}
    return predicted


def run(lines, folder):
    """Run Python in a process of its own, as these libraries take long and warn much; its last line is JSON."""
    (folder / "lines.py").write_text("\n".join(lines), encoding="utf-8")
    environment = os.environ | {"MPLBACKEND": "Agg"}
    command = [sys.executable, "-W", "ignore", "lines.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(drawn, predicted, *, side_px):
    """Spots lie where tiles do, as wide as asked, coloured by their values; the picture is upright."""
    entry = predicted.uns["spatial"]["biopsy"]
    scale = entry["scalefactors"]["tissue_hires_scalef"]
    boxes = np.array(drawn["boxes"])
    expected = predicted.obsm["spatial"] * scale
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    order, by_place = np.lexsort(np.round(middle, 3).T), np.lexsort(np.round(expected, 3).T)
    np.testing.assert_allclose(middle[order], expected[by_place], atol=0.01)
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], side_px * scale, rtol=0.01)
    value = predicted.X[by_place, 0]
    known = np.isfinite(value)
    colours = colormaps["viridis"]((value - np.nanmin(value)) / np.ptp(value[known]))
    np.testing.assert_allclose(np.array(drawn["colours"])[order][known], colours[known], atol=0.01)
    height, width = entry["images"]["hires"].shape[:2]
    assert drawn["shape"][:2] == [height, width]
    assert drawn["extent"] == pytest.approx([-0.5, width - 0.5, height - 0.5, -0.5], abs=0.51)
    assert drawn["ylim"][0] > drawn["ylim"][1]
    assert drawn["xlim"][0] < drawn["xlim"][1]


THEN = """
ring, moran = adata.obsp["spatial_connectivities"], adata.uns["moranI"].loc["CD74", "I"]
whole = sc.read_h5ad("biopsy.h5ad")
sq.pl.spatial_scatter(whole, color="CD74", library_id="biopsy")
by_name = drawn(plt.gcf().axes[0])
if hasattr(sq.gr, "spatial_neighbors"):  # its older name
    sq.gr.spatial_neighbors(whole, coord_type="grid", n_neighs=4)
print(json.dumps([readme, scanpy, squidpy, by_name, float(ring.sum(axis=1).max()), float(moran), adata.n_obs]))
"""


@pytest.mark.skipif(find_spec("squidpy") is None, reason="squidpy, which brings scanpy, is not installed")
@pytest.mark.slow
def test_scanpy_and_squidpy(predicted, tmp_path):
    write_prediction(predicted, tmp_path / "biopsy.h5ad")
    lines = ["import json", "import matplotlib.pyplot as plt", "import numpy as np", DRAWN]
    for name, block in {"readme": IN_README, "scanpy": BLOCKS["scanpy"], "squidpy": BLOCKS["squidpy"]}.items():
        lines += [block, f"{name} = drawn(plt.gcf().axes[0])"]
    *pictures, most_neighbours, moran, n_tiles = run([*lines, THEN], tmp_path)
    for drawn in pictures:
        check(drawn, predicted, side_px=28)
    assert len(pictures) == 4
    assert most_neighbours == 4
    assert moran > 0.9
    assert UNREADABLE in predicted.obs_names
    assert n_tiles == predicted.n_obs - 1


def test_every_block_is_python():
    assert list(BLOCKS) == ["scanpy", "squidpy", "napari", "SpatialData"]
    for block in BLOCKS.values():
        ast.parse(block)
