"""Saved models of every method: refused, or as good as new."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from fuzz.case import Target
from mclstexp.api.models import load_model, model_info
from mclstexp.io.models import save_model
from small_methods import small_methods, small_sections


@cache
def _tiles() -> object:
    return small_sections(2, n_spots_side=3)[1].tiles


def _make(folder: Path) -> None:
    sections = small_sections(2, n_spots_side=4)
    for small in small_methods():
        name = small.label.replace(", ", "-").replace(" ", "-")
        save_model(small.create().fit(sections), folder / name)


def mend(folder: Path, chance: Random) -> None:
    """Write the checksum of the damaged weights, as a stranger would."""
    description, weights = folder / "model.json", folder / "weights.safetensors"
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        content["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
        description.write_text(json.dumps(content), encoding="utf-8")
    except (OSError, ValueError, TypeError, RecursionError):
        return


def _use(folder: Path) -> None:
    model_info(folder)
    model = load_model(folder)
    tiles = _tiles().with_spec(model.spec_)  # type: ignore[attr-defined]
    if model.spec_.size_px > 256:  # a valid wish, and a long one
        return
    predicted = model.predict(tiles)
    assert np.isfinite(np.asarray(predicted.X)).all(), "a prediction that is not finite"


TARGETS = (Target("model", _make, _use, files=("*",), mend=mend),)
