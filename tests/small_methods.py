"""Options that make each registered method small, so that every one can be put to the same tests in seconds."""

from dataclasses import dataclass

from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import TileSpec
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create, list_methods

ENCODER = "random:test_efficientnet"
SPEC = TileSpec(32, 4.0)

_SMALL = {
    "mean": {"mean": {}},
    "knn": {"knn": {"encoder": ENCODER, "k": 5}},
    "ridge": {"ridge": {"encoder": ENCODER, "n_components": 8}},
    "mclstexp": {
        "mclstexp, strict": {
            "encoder": ENCODER,
            "epochs": 3,
            "k": 5,
            "sharpness": 0.5,
            "n_components": 8,
            "dim": 8,
            "batch_size": 16,
            "regression_share": 0.2,
        },
        "mclstexp, end to end": {
            "encoder": ENCODER,
            "train_encoder": True,
            "epochs": 1,
            "k": 5,
            "sharpness": 0.0,
            "n_components": 8,
            "dim": 8,
            "n_models": 1,
            "batch_size": 16,
            "precision": "float32",
        },
        "mclstexp, paper": {
            "protocol": "paper",
            "encoder": ENCODER,
            "epochs": 1,
            "k": 5,
            "dim": 16,
            "batch_size": 16,
        },
    },
}


@dataclass(frozen=True)
class Small:
    """One way to run a method."""

    label: str
    name: str
    options: dict

    def create(self, **changed) -> Predictor:
        return create(self.name, **self.options | changed)


def small_methods() -> list[Small]:
    """Every registered method, or a reminder to add it here."""
    missing = sorted(set(list_methods()) - set(_SMALL))
    assert not missing, f"add small options of {', '.join(missing)} to tests/small_methods.py"
    return [Small(label, name, options) for name, ways in _SMALL.items() for label, options in ways.items()]


def small_sections(n_patients=3, **given):
    return make_sections(n_patients, **{"n_spots_side": 5, "mpp": 4.0, "n_genes": 30, "spec": SPEC, "seed": 1} | given)
