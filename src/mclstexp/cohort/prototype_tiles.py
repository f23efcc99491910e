"""Where on which slide the tiles lie that show what prototypes look like."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.table import Cohort
from mclstexp.cohort.tile_places import TilePlaces, read_places
from mclstexp.core.bag import Bag
from mclstexp.core.errors import InputError

COLUMNS: Final = ("slide", "x", "y", "side_px", "slide_mpp")
"""What is added: the slide's name, the tile's centre and side in level-0 pixels, µm per such pixel; NaN: not known."""


def located(tiles: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Add to a table of tiles where they lie.

    Parameters
    ----------
    tiles
        "patient" and "tile", its number among all tiles of the patient.
    cohort
        Whose they are; places are known where its features are files that have them.
    """
    bags = dict(zip(cohort.patients.ids, cohort.patients.bags or (), strict=False))
    places: dict[Path, TilePlaces | None] = {}
    whose = zip(tiles["patient"], tiles["tile"], strict=True)
    rows = [_row(bags.get(str(who)), int(number), places) for who, number in whose]
    return pd.concat([tiles.reset_index(drop=True), pd.DataFrame(rows, columns=list(COLUMNS))], axis=1)


def _row(bag: Bag | None, number: int, known: dict[Path, TilePlaces | None]) -> tuple[str, float, float, float, float]:
    start = 0
    for file in bag.files if isinstance(bag, FileBag) else ():
        n_tiles = FileBag([file]).n_tiles
        if number < start + n_tiles:
            if file not in known:
                known[file] = _places(file)
            found = known[file]
            if found is None:
                return file.stem, np.nan, np.nan, np.nan, np.nan
            x, y = found.xy[number - start]
            return file.stem, float(x), float(y), found.side_px, found.slide_mpp or np.nan
        start += n_tiles
    return "", np.nan, np.nan, np.nan, np.nan


def _places(file: Path) -> TilePlaces | None:
    try:
        return read_places(file)
    except InputError:  # a file without places is as good as any other to learn from
        return None
