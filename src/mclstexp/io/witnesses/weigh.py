"""Weighs an `Evidence`, and tells what was found."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from mclstexp.core.errors import InputError
from mclstexp.io.witnesses.evidence import Evidence, Finding
from mclstexp.io.witnesses.pictures import orientation_findings, size_factor, size_findings
from mclstexp.io.witnesses.scale import scale_findings, shrunk, spot_findings


def weigh(evidence: Evidence) -> list[Finding]:
    """Return where the witnesses of one section disagree, the gravest first; empty where they agree."""
    sizes, spots = size_findings(evidence), spot_findings(evidence)
    if sizes and spots and _both_reduced(evidence):
        # places and image were reduced together: only what is stored beside them is of another size
        sizes, spots = [], []
    return [*sizes, *orientation_findings(evidence), *spots, *scale_findings(evidence)]


def tell(findings: Sequence[Finding], *, where: str) -> None:
    """Warn of each finding.

    Raises
    ------
    InputError
        With the first that leaves nothing sensible to do.
    """
    for finding in findings:
        if finding.refused:
            msg = f"{where}: {finding.text}"
            raise InputError(msg)
    for finding in findings:
        warnings.warn(f"{where}: {finding.text}", stacklevel=3)


def _both_reduced(evidence: Evidence) -> bool:
    image, places = size_factor(evidence), shrunk(evidence)
    return image is not None and places is not None and abs(image / places - 1) < 0.06
