"""Which kind of tissue lies where, named alike on all slides."""

from __future__ import annotations

from pathlib import Path

from anndata import AnnData

from mclstexp.analysis.states import states_of
from mclstexp.api.models import load_model
from mclstexp.api.predictions import holds_slides
from mclstexp.api.sections import read_one
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Tiles
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.predictions import write_prediction
from mclstexp.io.slides import open_slide
from mclstexp.io.targets import require_free_file
from mclstexp.methods.codebook import CodebookPredictor
from mclstexp.whole_slide.grid import lay_grid
from mclstexp.whole_slide.result import furnish
from mclstexp.whole_slide.settings import SlideSettings


def find_states(model: CodebookPredictor | Path | str, tiles: Tiles) -> AnnData:
    """Name the state of each tile, as `analysis.states.states_of` does, with what `mclstexp view` wants beside.

    Parameters
    ----------
    model
        A fitted method ``codebook``, or the folder of a saved one.
    tiles
        Where to look: ``section.tiles``, `read_tiles`, ``Tiles.grid``.

    Raises
    ------
    InputError
        If the model cannot be read, is not fitted, or is of another method.
    """
    fitted = model if isinstance(model, CodebookPredictor) else _read_codebook(model)
    tiles = tiles.with_spec(fitted.spec_) if fitted.is_fitted else tiles
    return furnish(fitted, tiles, states_of(fitted, tiles))


def find_states_file(run: Path | str, data: DataConfig, *, out: Path | str, overwrite: bool = False) -> AnnData:
    """Read a section or a whole slide, name the states of its places, and write them.

    Parameters
    ----------
    run
        Folder of a saved ``codebook``.
    data
        One measured section, whose counts are not looked at, or a whole slide, on which tiles are laid over the tissue.
    out
        The ``.h5ad``.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    InputError
        As `find_states`; if the data cannot be read, there are several sections, or the place is taken or cannot be
        written to.
    """
    out = Path(out)
    require_free_file(out, what="the states", overwrite=overwrite, endings=(".h5ad",))
    model = _read_codebook(run)
    if holds_slides(data.path, run=run, format=data.format):
        slide = open_slide(data.path, mpp=data.mpp)
        tiles = lay_grid(slide, model.spec_, settings=SlideSettings()).tiles
    else:
        tiles = read_one(data, model.spec_).tiles
    found = find_states(model, tiles)
    write_prediction(found, out)
    return found


def _read_codebook(run: Path | str) -> CodebookPredictor:
    fitted = load_model(run)
    if isinstance(fitted, CodebookPredictor):
        return fitted
    msg = f"a fitted codebook expected at {run}, found {fitted.name}: make one with mclstexp fit codebook"
    raise InputError(msg)
