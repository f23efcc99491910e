"""From a table of counts, a table of places and an image to a section: what all legacy ST layouts share."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.entries import entries
from mclstexp.io.pitch import mpp_from_array
from mclstexp.io.visium import IMAGE_SUFFIXES, slide_with_mpp


@dataclass(frozen=True)
class SpotArray:
    """A square array of spots that capture expression."""

    pitch_um: float
    """Distance between the centres of neighbouring spots, µm."""
    spot_um: float
    """Diameter of a spot, µm."""


ST_ARRAY: Final = SpotArray(pitch_um=200.0, spot_um=100.0)
"""The array of Ståhl et al. 2016 (Science 353:78), which her2st used too."""

PLACES: Final = ("array_x", "array_y", "pixel_x", "pixel_y")
"""Columns of a table: (fractional) array coordinates, and (column, row) in pixels of the image."""


@dataclass(frozen=True)
class Sample:
    """One section's name and where its pixels are."""

    id: str
    """Name of the section."""
    patient: str | None
    """Whom it comes from, None where not known."""
    image: Path
    """The picture that the pixel coordinates refer to."""
    array: SpotArray
    """The array it was measured on."""


def place_counts(
    counts: AnnData,
    places: pd.DataFrame,
    sample: Sample,
    *,
    spec: TileSpec,
    mpp: float | None,
) -> Section:
    """Join counts and places by the spots' names and open the image.

    Parameters
    ----------
    counts
        (n_spots, n_genes) raw counts; their order is kept.
    places
        Columns `PLACES` and, if known, ``label``, by spot name. Places without counts are left out.
    sample
        Name, patient, image and array.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel; by default fitted to the array.

    Raises
    ------
    InputError
        If most spots do not join, or the scale cannot be found.
    """
    row = _rows(counts, places, where=sample.id)
    fitted = mpp_from_array(_array(places) * sample.array.pitch_um, places[["pixel_x", "pixel_y"]].to_numpy())
    slide = slide_with_mpp(sample.image, mpp, measured=fitted, id=sample.id)
    counts, places = counts[row >= 0].copy(), places.iloc[row[row >= 0]]
    array_xy = np.rint(_array(places))
    obs = {keys.ARRAY_COL: array_xy[:, 0].astype(int), keys.ARRAY_ROW: array_xy[:, 1].astype(int)}
    if keys.LABEL in places:
        obs[keys.LABEL] = pd.Categorical(places[keys.LABEL].where(~places[keys.LABEL].isin(["", "NA", "nan"])))
    counts.obs = pd.DataFrame(obs, index=counts.obs_names)
    counts.uns.update({keys.PITCH_UM: sample.array.pitch_um, keys.SPOT_DIAMETER_UM: sample.array.spot_um})
    tiles = Tiles(
        slide=slide,
        xy=places[["pixel_x", "pixel_y"]].to_numpy(np.float64),
        ids=counts.obs_names.to_numpy().astype(np.str_),
        spec=spec,
        array_xy=array_xy,
    )
    return Section(id=sample.id, patient=sample.patient, tiles=tiles, counts=counts)


def by_spot(places: pd.DataFrame, *, path: Path) -> pd.DataFrame:
    """Return `places` after checking that every spot occurs once and lies somewhere.

    Raises
    ------
    InputError
        If a spot occurs twice, there is none, or a coordinate is empty.
    """
    if len(places) == 0:
        msg = f"at least one spot expected in {path}, found none"
        raise InputError(msg)
    if not places.index.is_unique:
        twice = places.index[places.index.duplicated()][0]
        msg = f"each spot once expected in {path}, found {twice!r} more than once: give one section's file"
        raise InputError(msg)
    empty = places[list(PLACES)].isna().any(axis=1)
    if empty.any():
        msg = (
            f"coordinates of every spot expected in {path}, found none for {empty.sum()} of {len(places)} "
            f"(first {places.index[empty][0]!r}): fill in or remove those rows"
        )
        raise InputError(msg)
    return places


def images_in(folder: Path, *, stem: str | None = None) -> list[Path]:
    """Return the images of a folder, by name; only those called `stem`, if given."""
    if not folder.is_dir():
        return []
    found = (path for path in entries(folder) if path.suffix.lower() in IMAGE_SUFFIXES)
    return [path for path in found if stem is None or path.stem == stem]


def one_image(found: list[Path], *, where: str) -> Path:
    """Return the only image of a section.

    Raises
    ------
    InputError
        If there is none or several.
    """
    if len(found) == 1:
        return found[0]
    listed = f"{len(found)} ({', '.join(path.name for path in found[:4])})" if found else "none"
    msg = f"{where}: one image expected, found {listed}: {'remove the others' if found else 'fetch it'}"
    raise InputError(msg)


def _array(places: pd.DataFrame) -> np.ndarray:
    return places[["array_x", "array_y"]].to_numpy(np.float64)


def _rows(counts: AnnData, places: pd.DataFrame, *, where: str) -> np.ndarray:
    """Return the place of each row of counts, -1 where it has none."""
    row = places.index.get_indexer(counts.obs_names)
    n_joined = int((row >= 0).sum())
    # a table may hold all spots of the array and the other those under tissue: the smaller must be in the larger
    if n_joined < 0.5 * min(len(places), counts.n_obs):
        turned = places.index.isin(counts.var_names).mean() > 0.5
        advice = "the counts are genes by spots: transpose them" if turned else "use the tables of one section"
        msg = (
            f"{where}: counts and places must name the same spots, found {n_joined} of {counts.n_obs} in both (counts "
            f"have e.g. {counts.obs_names[0]!r}, places {places.index[0]!r}): {advice}"
        )
        raise InputError(msg)
    if n_joined < counts.n_obs:
        lost = counts.obs_names[row < 0]
        text = f"{where}: {len(lost)} of {counts.n_obs} spots with counts have no place (first {lost[0]!r}): left out"
        warnings.warn(text, stacklevel=4)
    return row
