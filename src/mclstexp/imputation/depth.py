"""The control that sparse data make hard to beat: how much was counted in a spot at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import at_level, z_scores


@register("depth")
@dataclass
class Depth(Imputer):
    """One map for all genes, the spot's log total count: a control that knows no gene from another."""

    def _impute(self, known: Pairing) -> Imputed:
        pattern = z_scores(known.depth[:, None])
        return Imputed(at_level(known, np.tile(pattern, (1, len(known.targets)))))
