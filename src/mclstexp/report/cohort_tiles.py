"""Tiles of the cohort's own slides that show what each kind of tissue looks like."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.progress import counted
from mclstexp.core.tiles import Slide, TileSpec
from mclstexp.io.slides import open_slide
from mclstexp.whole_slide.manifest import SlideJob, list_slides

_MOST: Final = 8
"""Tiles of a kind."""
_SIDE_PX: Final = 112
_WEBP: Final = {"quality": 82, "method": 6}


@dataclass(frozen=True)
class TilePictures:
    """Pictures by kind, or why there are none."""

    by_kind: Mapping[str, list[str]]
    """Data URIs, nearest to the kind's centre first."""
    side_um: float
    """How wide a tile is; 0 where there is none."""
    note: str
    """What is missing and why; "" where nothing is."""


def tile_pictures(tiles: pd.DataFrame, slides: str | None) -> TilePictures:
    """Read the tiles of each kind, each of another patient.

    Parameters
    ----------
    tiles
        Of one model, as ``prototype_tiles.csv`` of an evaluation has them.
    slides
        Where the slides lie: a folder, a glob or a table.

    Raises
    ------
    InputError
        If there are no slides there.
    """
    if slides is None:
        return TilePictures({}, 0.0, "The slides were not named when this page was made, so that no tile is shown.")
    there = tiles[tiles["x"].notna()] if "x" in tiles else tiles[:0]
    if there.empty:
        return TilePictures({}, 0.0, "The files of features do not say where their tiles lie: no tile is shown.")
    wanted = there.groupby("kind", sort=False).head(_MOST)
    jobs = {job.name: job for job in list_slides(slides)}
    pictures: dict[Hashable, str] = {}
    sides, failed = list[float](), set[str]()
    with counted("tiles of slides", wanted["slide"].nunique(), unit="slide") as on_done:
        for number, (name, rows) in enumerate(wanted.groupby("slide", sort=False), start=1):
            try:
                slide = _opened(jobs, str(name), rows)
                for at, row in rows.iterrows():
                    pictures[at] = _picture(slide, row)
                    sides.append(float(row["side_px"]) * slide.mpp)
            except InputError:
                failed.add(str(name))
            on_done(number, "")
    by_kind = {str(kind): [pictures[at] for at in of.index if at in pictures] for kind, of in wanted.groupby("kind")}
    note = "" if not failed else f"{len(failed)} slides could not be read: their tiles are not shown."
    return TilePictures(by_kind, sides[0] if sides else 0.0, note)


def _opened(jobs: Mapping[str, SlideJob], name: str, rows: pd.DataFrame) -> Slide:
    if name not in jobs:
        msg = f"a slide {name} expected, found none"
        raise InputError(msg)
    said = rows["slide_mpp"].iloc[0]
    return open_slide(jobs[name].source, id=name, mpp=jobs[name].mpp or (None if pd.isna(said) else float(said)))


def _picture(slide: Slide, row: pd.Series) -> str:
    side_um = float(row["side_px"]) * slide.mpp
    spec = TileSpec(size_px=_SIDE_PX, mpp=side_um / _SIDE_PX)
    pixels = slide.read((float(row["x"]), float(row["y"])), spec)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "webp", **_WEBP)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
