"""Public functions behind the commands."""

from __future__ import annotations

from pathlib import Path

from anndata import AnnData

from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Tiles
from mclstexp.io import models
from mclstexp.methods import list_methods


def load_model(folder: Path | str) -> Predictor:
    """Read a fitted model of any known method; see `mclstexp.io.models.load_model`."""
    return models.load_model(folder, methods=list_methods())


def predict(model: Predictor | Path | str, tiles: Tiles) -> AnnData:
    """Predict expression at tiles, read at the size and scale the model was fitted on.

    Parameters
    ----------
    model
        A fitted model, or the folder of a saved one.
    tiles
        Where to look: ``section.tiles``, `read_tiles`, ``Tiles.grid``.

    Returns
    -------
    AnnData; see `Predictor.predict`.

    Raises
    ------
    InputError
        If the model cannot be read or is not fitted, or ready-made tiles are of another size or scale.
    """
    fitted = model if isinstance(model, Predictor) else load_model(model)
    return fitted.predict(tiles.with_spec(fitted.spec_) if fitted.is_fitted else tiles)
