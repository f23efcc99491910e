"""What the image says of the places: an image method that has learnt from the given spots alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.methods import create, method_class


@register("image")
@dataclass
class FromImage(Enhancer):
    """An image method, fitted on the tiles of the given spots and asked at those of the places.

    It sees what every method of images sees, and not how far a spot is: what kriging adds to it is in `image_kriging`.
    """

    method: str = "ridge"
    """Which: a name of `mclstexp list`, such as mclstexp."""
    encoder: str = "efficientnet_lite0"
    """Frozen image encoder, of a method that has one."""

    def __post_init__(self) -> None:
        method_class(self.method)  # a name that is none is said before anything is read

    def _numerics(self) -> dict[str, str]:
        return self._predictor()._numerics()

    def _enhance(self, ground: Ground) -> Enhanced:
        section = Section(ground.given.slide.id, None, ground.given, ground.counts)
        space = ExpressionSpace(tuple(map(str, ground.counts.var_names)))
        predictor = self._predictor().fit([section], space=space)
        return Enhanced(np.asarray(predictor.predict(ground.asked.with_spec(ground.given.spec)).X, np.float64))

    def _predictor(self) -> Predictor:
        has = {field.name for field in fields(method_class(self.method))}  # type: ignore[arg-type]
        return create(self.method, **({"encoder": self.encoder} if "encoder" in has else {}))
