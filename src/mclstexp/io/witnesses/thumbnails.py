"""One small picture of each slide, made once however many witnesses look at it."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mclstexp.core.tiles import Slide

SIDE_PX: Final = 512
_made: WeakKeyDictionary[Slide, NDArray[np.uint8]] = WeakKeyDictionary()


def thumbnail(slide: Slide) -> NDArray[np.uint8]:
    """Return a slide as RGB, its longer side `SIDE_PX` pixels at most; a whole slide takes seconds to go through."""
    if slide not in _made:
        _made[slide] = slide.thumbnail(SIDE_PX)
    return _made[slide]
