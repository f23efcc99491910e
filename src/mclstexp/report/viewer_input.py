"""What the viewer is given: a prediction that can be drawn, and the slide it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import anndata as ad
import numpy as np

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.places import misplaced
from mclstexp.core.tiles import Slide
from mclstexp.io.guard import guarded
from mclstexp.io.predictions import read_prediction

_QUICK_BYTES: Final = 512 * 2**20  # hashed within a second or two
_WITH_COMPANIONS: Final = (".mrxs", ".vms", ".vmu", ".dcm")  # their pixels lie in other files


@guarded("a prediction (.h5ad)")
def read_viewed(path: Path) -> ad.AnnData:
    """Open a prediction whose expression stays in the file, after checking that it can be drawn.

    Raises
    ------
    InputError
        If it is none, has no tiles or places, or would read other files.
    """
    if path.is_dir() or path.suffix != ".h5ad":
        msg = f"a prediction as .h5ad expected, found {path}: give the slide first, then what predict wrote of it"
        raise InputError(msg)
    predicted = read_prediction(path, backed=True)
    xy = predicted.obsm.get(keys.SPATIAL)
    if xy is None or np.ndim(xy) != 2 or np.shape(xy)[1] != 2 or misplaced(xy).any():
        msg = f'a finite place for each tile in obsm["{keys.SPATIAL}"] expected in {path}, found none'
    elif 0 in predicted.shape:
        msg = f"tiles and genes expected in {path}, found {predicted.n_obs} tiles and {predicted.n_vars} genes"
    else:
        return predicted
    predicted.file.close()
    msg = f"{msg}: predict the slide again"
    raise InputError(msg)


def check_belongs(slide: Slide, predicted: ad.AnnData, *, slide_path: Path) -> None:
    """Refuse a prediction of another slide: its map would be drawn over tissue it says nothing of.

    A slide that was renamed since is known by its content. One of the same name and size is compared here if that is
    quick; otherwise `same_content` is to be asked later.

    Raises
    ------
    InputError
        If size and name say so, or tiles lie off the slide.
    """
    said, size = predicted.uns[keys.PROVENANCE], slide.size_px
    meant = list(said.get("slide_size_px", size))
    if meant != list(size):
        found = f"{size[0]} by {size[1]} pixels, where {said.get('slide', 'another')} has {meant[0]} by {meant[1]}"
        msg = f"the slide that was predicted expected at {slide_path}, found {found}: give that slide"
        raise InputError(msg)
    name = said.get("slide_file") or slide_path.name
    quick = slide_path.suffix.lower() not in _WITH_COMPANIONS and slide_path.stat().st_size <= _QUICK_BYTES
    if (quick or name != slide_path.name) and not same_content(slide, said):
        msg = f"the slide that was predicted, {name}, expected at {slide_path}, found another: give that slide"
        raise InputError(msg)
    xy = np.asarray(predicted.obsm[keys.SPATIAL])
    outside = ((xy < 0) | (xy > size)).any(axis=1)
    if outside.any():
        msg = f"tiles on the slide {slide_path} expected, found {outside.sum()} of {len(xy)} off it: give their slide"
        raise InputError(msg)


def same_content(slide: Slide, said: dict[str, Any]) -> bool:
    """Whether a slide is the one a prediction was made of, byte for byte; True where the prediction does not say.

    It does not say if it was made of pixels in memory, whose hash is another.
    """
    sha256 = said.get("slide_sha256")
    return None in (said.get("slide_file"), sha256) or slide.fingerprint() == sha256


def chosen_gene(predicted: ad.AnnData, gene: str | None) -> int | None:
    """Return the number of a gene; None for none.

    Raises
    ------
    InputError
        If it was not predicted.
    """
    if gene is None:
        return None
    if gene not in predicted.var_names:
        some = ", ".join(map(str, predicted.var_names[:3]))
        msg = f"a gene of the prediction expected, found {gene!r}: choose one of {some}, …"
        raise InputError(msg)
    return int(predicted.var_names.get_loc(gene))
