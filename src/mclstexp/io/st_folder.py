"""A plain folder a section: ``HE.jpg``, ``counts.tsv`` and ``spots.tsv``, the simplest way to bring one's own data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.io.guard import guarded
from mclstexp.io.spaceranger import sample_name
from mclstexp.io.st_section import PLACES, ST_ARRAY, Sample, SpotArray, by_spot, images_in, one_image, place_counts
from mclstexp.io.tables import find_table, read_spot_table, read_st_counts


def looks_like_st_folder(path: Path | str) -> bool:
    """Whether `path` is a folder with ``counts.tsv`` and ``spots.tsv``, either gzipped or not."""
    path = Path(path)
    return all(any((path / f"{stem}.tsv{ending}").is_file() for ending in ("", ".gz")) for stem in ("counts", "spots"))


@guarded("sections of legacy Spatial Transcriptomics")
def read_st_folder(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    array: SpotArray = ST_ARRAY,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read one section from a plain folder.

    Parameters
    ----------
    path
        Folder with ``HE.jpg`` (or any one image), ``counts.tsv`` (spots × genes) and ``spots.tsv``, whose columns are
        ``spot, array_x, array_y, pixel_x, pixel_y`` and, if known, ``layer`` or ``label``; tables gzipped or plain.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image; by default fitted to the array.
    array
        Pitch and diameter of the spots; legacy ST's 200 and 100 µm by default.
    id
        Name of the section; the folder's by default.
    patient
        Whom it comes from; not known by default. Give replicates of one animal one name.

    Raises
    ------
    InputError
        If a file is absent or damaged, spots do not join, or the scale cannot be found.
    """
    folder = Path(path)
    if not folder.is_dir():
        msg = f"a folder with HE.jpg, counts.tsv and spots.tsv expected at {folder}, found none: check the path"
        raise InputError(msg)
    name = id or sample_name(folder)
    counts = read_st_counts(find_table(folder, "counts", what="counts (spots by genes)"))
    table = find_table(folder, "spots", what="spot positions")
    places = read_spot_table(table, PLACES, optional=["spot", "label", "layer"])
    if "spot" not in places:
        found = ", ".join(map(str, places.columns))
        msg = f"a column 'spot' expected in {table}, found {found}: name the spots as in the counts"
        raise InputError(msg)
    places = places.set_index(pd.Index(places["spot"], dtype=object))
    if keys.LABEL not in places:
        places = places.rename(columns={"layer": keys.LABEL})
    image = one_image(images_in(folder, stem="HE") or images_in(folder), where=f"section {name} ({folder})")
    sample = Sample(id=name, patient=patient, image=image, array=array)
    return place_counts(counts, by_spot(places, path=table), sample, spec=spec, mpp=mpp)
