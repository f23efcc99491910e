"""How far the spots that a prediction is made of lie apart, beside the prediction."""

from __future__ import annotations

from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.drawing import retrieved_quantiles
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Tiles


def with_quantiles(model: Predictor, tiles: Tiles, predicted: AnnData, *, level: float) -> AnnData:
    """Add the layers "low" and "high": quantiles of each tile's retrieved spots, moved to lie about the prediction.

    As they are they promise nothing: `evaluation.calibration` learns on other individuals how much wider they must be.

    Parameters
    ----------
    model
        The one that predicted.
    tiles
        What it predicted.
    predicted
        The answer; changed and returned. A method that keeps no spots leaves it as it is.
    level
        Share of the spots' weight between the two.
    """
    retrievals = model.retrieve(tiles)
    if retrievals and retrievals[0].expression is not None:
        low, high = retrieved_quantiles(retrievals, ((1 - level) / 2, (1 + level) / 2))
        predicted.layers[keys.LOW], predicted.layers[keys.HIGH] = predicted.X + low, predicted.X + high
    return predicted
