"""Control probes and codewords, which are no genes: left out, and counted aloud."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
from anndata import AnnData

_CONTROLS: Final = re.compile(
    r"(neg(ative)?[ _-]?(prb|prob|control|ctrl)|system[ _-]?control|false[ _-]?code|blank[ _-]?\d|"
    r"(unassigned|deprecated|negative|blank)[ _-]?(control)?[ _-]?codeword|antisense_|intergenic_)",
    re.IGNORECASE,
)
"""What makers call them: NegPrb3, Negative4, SystemControl12, FalseCode7, Blank-12, NegControlCodeword_0500, …"""
_NUMBERED: Final = re.compile(r"negative\d+", re.IGNORECASE)


def is_control(name: str) -> bool:
    """Whether a feature's name is that of a control."""
    return bool(_CONTROLS.match(name) or _NUMBERED.fullmatch(name))


def without_controls(counts: AnnData, *, where: str) -> AnnData:
    """Leave out features that are controls by their names, and warn of how many, with which share of the counts."""
    controls = np.array([is_control(str(name)) for name in counts.var_names], bool)
    if not controls.any():
        return counts
    total, of_controls = float(counts.X.sum()), float(counts.X[:, controls].sum())
    tell_left_out(list(counts.var_names[controls]), share=of_controls / max(total, 1), where=where)
    return counts[:, ~controls].copy()


def tell_left_out(names: Sequence[str], *, share: float | None, where: str) -> None:
    """Warn that controls were left out."""
    if names:
        held = "" if share is None else f", which held {share:.2%} of the counts"
        listed = ", ".join(map(str, names[:2])) + (", …" if len(names) > 2 else "")
        text = f"{where}: {len(names)} control probes and codewords ({listed}) are left out{held}"
        warnings.warn(text, stacklevel=3)
