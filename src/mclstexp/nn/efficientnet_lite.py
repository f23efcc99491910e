"""Names of EfficientNet-Lite0's tensors: those of the installed weights file, and timm's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_STAGES: Final = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage (Tan and Le 2019, table 1)."""
_OUTSIDE: Final = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST: Final = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED: Final = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def timm_keys(names: Iterable[str]) -> dict[str, str]:
    """Map the file's tensor names to those of timm's ``tf_efficientnet_lite0``.

    The file numbers blocks through; timm numbers them within their stage, and in the first stage, which does not
    expand, calls the layers differently.
    """
    places = [(stage, i) for stage, n_blocks in enumerate(_STAGES) for i in range(n_blocks)]
    return {name: _timm_key(name, places) for name in names}


def _timm_key(name: str, places: list[tuple[int, int]]) -> str:
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([_OUTSIDE[first], *rest])
    stage, i = places[int(rest[0])]
    layer = (_FIRST if stage == 0 else _INVERTED)[rest[1]]
    return ".".join(["blocks", str(stage), str(i), layer, *rest[2:]])
