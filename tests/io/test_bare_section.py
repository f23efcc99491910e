"""Counts with their places, without an image: each spot lies where its array has it."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.spatial import cKDTree

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.bare_section import read_bare_section


def written(path, array_xy, **more):
    obs = pd.DataFrame({"array_col": array_xy[:, 0], "array_row": array_xy[:, 1]}, index=more.pop("names", None))
    obs.index = obs.index.astype(str)
    numbers = 1 + np.arange(3 * len(obs), dtype=np.float32).reshape(-1, 3) % 4
    counts = AnnData(numbers, obs=obs, **more)
    counts.var_names = ["A", "B", "C"]
    counts.write_h5ad(path)
    return path


def apart(section):
    return cKDTree(section.tiles.xy_um).query(section.tiles.xy_um, k=7)[0]


@pytest.mark.parametrize("first", [0, 1])
def test_of_a_staggered_array_all_six_neighbours_lie_as_far(tmp_path, first):
    row, column = np.mgrid[:7, :7]
    array_xy = np.column_stack([(2 * column + (row + first) % 2).ravel(), row.ravel()])
    path = written(tmp_path / "v.h5ad", array_xy)
    inner = 3 * 7 + 3
    np.testing.assert_allclose(apart(read_bare_section(path, spec=TileSpec()))[inner, 1:], 100)
    np.testing.assert_allclose(apart(read_bare_section(path, spec=TileSpec(), pitch_um=55))[inner, 1:], 55)


def test_of_a_square_array_four_do(tmp_path):
    row, column = np.mgrid[:5, :5]
    found = apart(
        read_bare_section(written(tmp_path / "s.h5ad", np.column_stack([column.ravel(), row.ravel()])), spec=TileSpec())
    )
    np.testing.assert_allclose(found[12, 1:5], 200)
    np.testing.assert_allclose(found[12, 5:], 200 * 2**0.5)


def test_what_the_array_does_not_say_names_or_places_do(tmp_path):
    unknown = np.full((3, 2), np.nan)
    path = written(tmp_path / "n.h5ad", unknown, names=["1x1", "2x1", "1x3"])
    np.testing.assert_array_equal(read_bare_section(path, spec=TileSpec()).tiles.array_xy, [[1, 1], [2, 1], [1, 3]])
    path = written(tmp_path / "g.h5ad", unknown, obsm={"spatial": np.array([[0, 0], [30, 0], [0, 40.0]])})
    section = read_bare_section(path, spec=TileSpec())
    assert section.tiles.array_xy is None
    np.testing.assert_allclose(cKDTree(section.tiles.xy_um).query(section.tiles.xy_um, k=2)[0][:, 1], [30, 30, 40])
    with pytest.raises(InputError, match=r"places of the spots expected in .*u\.h5ad"):
        read_bare_section(written(tmp_path / "u.h5ad", unknown), spec=TileSpec())
    with pytest.raises(InputError, match="section e: at least one spot expected, found none"):
        read_bare_section(written(tmp_path / "e.h5ad", np.empty((0, 2))), spec=TileSpec())
