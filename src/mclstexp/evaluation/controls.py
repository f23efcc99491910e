"""Controls: what stands in every table beside the methods, so that a score says something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from mclstexp.core.predictor import Predictor, options
from mclstexp.methods import create
from mclstexp.sight.feature_predictor import FeaturePredictor, learns_from_pixels
from mclstexp.sight.sight import Sight

CONTROLS: Final = ("mean", "coordinates", "colour", "density", "knn", "ridge")
"""Methods that stand in every table: without them a score says nothing."""
MATCHED: Final = ("knn", "pls", "ridge")
"""Methods that stand in every table at the common sight too: what is left to a rival is what it learns."""
COMMON: Final = ", common sight"
"""End of the label of a method at the common sight, where it has a row at its own."""


def is_control(label: str, method: Predictor) -> bool:
    """Whether a row is of a control."""
    return method.name in CONTROLS or (method.name in MATCHED and label == method.name + COMMON)


def missing_controls(
    methods: Mapping[str, Predictor], *, encoder: str | None = None, sight: Sight | None = None
) -> dict[str, Predictor]:
    """Return the controls that `methods` lack.

    Parameters
    ----------
    methods
        By label.
    encoder
        The encoder controls look with; by default the one that most of the methods use.
    sight
        The common sight; by default that of the method which sees the most (`common_sight`).
    """
    used = Counter(used for method in methods.values() if (used := options(method).get("encoder")))
    encoder = encoder or (used.most_common(1)[0][0] if used else None)
    present = {method.name for method in methods.values()} | set(methods)
    made = {name: make_control(name, encoder=encoder) for name in CONTROLS if name not in present}
    sight = common_sight(methods.values()) if sight is None else sight
    if sight is not None:
        # at the tile alone the other two stand there already
        labels = [name + COMMON for name in MATCHED if not sight.is_plain or name not in CONTROLS]
        made |= {label: make_control(label, encoder=encoder, sight=sight) for label in labels if label not in methods}
    return made


def make_control(label: str, *, encoder: str | None, sight: Sight | None = None) -> Predictor:
    """Make a control by its label, on the encoder named where it takes one."""
    name = label.removesuffix(COMMON)
    control = create(name)
    if not isinstance(control, FeaturePredictor):
        return control
    seen = asdict(sight) if sight is not None and label.endswith(COMMON) else {}
    return create(name, **(seen | ({} if encoder is None else {"encoder": encoder})))


def common_sight(methods: Iterable[Predictor]) -> Sight | None:
    """Return the sight of the method that sees the most of a place; None where none has a sight."""
    seeing = [method for method in methods if isinstance(method, FeaturePredictor)]
    sights = [method.sight for method in seeing if not learns_from_pixels(options(method))]
    return max(sights, key=_breadth, default=None)


def at_sight(method: Predictor, sight: Mapping[str, Any]) -> Predictor | None:
    """Return the same method with another sight; None where it learns from pixels, or has none."""
    said = options(method)
    if not isinstance(method, FeaturePredictor) or learns_from_pixels(said):
        return None
    return type(method)(**(said | dict(sight)))


def _breadth(sight: Sight) -> tuple[int, ...]:
    return (
        len(sight.view_widths),
        len(sight.context_radii_um),
        int(sight.symmetric),
        int(sight.colour) + int(sight.slide_scale),
    )
