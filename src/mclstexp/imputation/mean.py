"""The floor: the reference's mean everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.patterns import moments


@register("mean")
@dataclass
class Mean(Imputer):
    """The mean of a gene over the reference, in all spots: a control without a pattern."""

    def _impute(self, known: Pairing) -> Imputed:
        return Imputed(np.tile(moments(known.asked)[0], (len(known.spots), 1)))
