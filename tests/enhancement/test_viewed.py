"""A finer section opens in the viewer, over its slide, and in the field's own tools."""

import anndata as ad
import numpy as np
import pytest
from PIL import Image

import st_files as files
from mclstexp.core.errors import InputError
from mclstexp.report.viewer_data import SlideView


@pytest.fixture
def fine(said, tmp_path):
    files.write_st_folder(tmp_path / "r1")
    code, _, errors = said("enhance", tmp_path / "r1", "--out", tmp_path / "fine.h5ad", "--factor", 3)
    assert (code, errors) == (0, "")
    (slide,) = (path for path in (tmp_path / "r1").iterdir() if path.suffix in (".jpg", ".png", ".tif"))
    return slide, tmp_path / "fine.h5ad"


def test_places_are_drawn_as_wide_as_they_lie_apart(fine):
    slide, path = fine
    found, view = ad.read_h5ad(path), SlideView(*fine)
    said = view.describe()
    assert said["n_tiles"] == found.n_obs
    assert view.layers == list(found.var_names)
    nearest = min(np.linalg.norm(found.obsm["spatial"][1:] - found.obsm["spatial"][0], axis=1))
    assert said["side_px"] == pytest.approx(nearest, rel=0.1)
    np.testing.assert_array_equal(view.values(1), found.X[:, 1])
    other = slide.with_name("other.png")
    Image.fromarray(np.zeros((50, 60, 3), np.uint8)).save(other)
    with pytest.raises(InputError, match="the slide that was predicted expected"):
        SlideView(other, path)


@pytest.mark.slow  # squidpy takes its time to be imported
@pytest.mark.filterwarnings("ignore")  # its own
def test_neighbours_are_found_by_squidpy(fine):
    squidpy = pytest.importorskip("squidpy")
    found = ad.read_h5ad(fine[1])
    squidpy.gr.spatial_neighbors(found, n_neighs=4, coord_type="generic")
    assert found.obsp["spatial_connectivities"].shape == (found.n_obs, found.n_obs)
