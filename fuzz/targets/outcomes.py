"""Saved models of patients' outcomes: refused, or as good as new."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from fuzz.case import Target
from fuzz.targets.models import mend
from mclstexp.cohort import create_outcome_model
from mclstexp.io.outcome_models import load_outcome_model, save_outcome_model
from mclstexp.io.synthetic.patients import MadePatients, World

_MODELS = {
    "km": {},
    "clinical": {},
    "mean_features": {"n_components": 3},
    "pathway_scores": {"reads": "genes"},
    "clinical+prototype_x_pathway": {"n_prototypes": 3, "penalty": 30.0},
}


@cache
def _world() -> MadePatients:
    return World(n_tiles=30).make(40)


def _make(folder: Path) -> None:
    for name, options in _MODELS.items():
        model = create_outcome_model(name, **options).fit(_world().patients, _world().outcomes)
        save_outcome_model(model, folder / name.replace("+", "-"))


def _use(folder: Path) -> None:
    model = load_outcome_model(folder)
    some = _world().patients.subset(_world().patients.ids[:3])
    said = model.predict(some, at_months=(6.0,))
    assert np.isfinite(said.risk).all(), "a risk that is not finite"
    assert said.survival is None or np.isfinite(said.survival).all(), "a survival that is not finite"
    model.explain()
    for _, tiles in model.explain_tiles(some):
        assert len(tiles) == 30, "tiles that are not the patient's"


TARGETS = (Target("outcome_model", _make, _use, files=("*",), mend=mend),)
