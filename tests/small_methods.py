"""Options that make each registered method small, so that every one can be put to the same tests in seconds.

They lie in `small/METHOD.toml`: tables ``[small.LABEL]`` for conformance and leakage, ``[learn.LABEL]`` for learning.
"""

import copy
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import make_method
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import list_methods

ENCODER = "random:test_efficientnet"
SPEC = TileSpec(32, 4.0)
_FOLDER = Path(__file__).parent / "small"


@dataclass(frozen=True)
class Small:
    """One way to run a method."""

    label: str
    name: str
    options: dict

    def create(self, **changed) -> Predictor:
        return make_method(self.name, self.options | changed)


def small_methods(kind: Literal["small", "learn"] = "small") -> list[Small]:
    """Every registered method, or a reminder to add its file."""
    files = {path.stem: tomllib.loads(path.read_text()) for path in sorted(_FOLDER.glob("*.toml"))}
    missing = sorted(set(list_methods()) - set(files))
    assert not missing, f"add small options of {', '.join(missing)} to tests/small"
    return [
        Small(label, name, options) for name, ways in files.items() for label, options in ways.get(kind, {}).items()
    ]


def small_sections(n_patients=3, **given):
    """Made-up sections, the caller's own; those asked for before are copied, which is quicker than making them."""
    size = {"n_spots_side": 5, "mpp": 4.0, "n_genes": 30, "spec": SPEC, "seed": 1} | given
    return copy.deepcopy(_made(n_patients, **size))


@lru_cache(maxsize=16)
def _made(n_patients, **size):
    return make_sections(n_patients, **size)
