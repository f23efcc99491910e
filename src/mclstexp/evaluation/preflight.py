"""What can be checked in seconds is checked before hours of work, and what is worth knowing of the data is gathered."""

from __future__ import annotations

import warnings

from mclstexp.core.method import options
from mclstexp.evaluation.comparison import Comparison
from mclstexp.io.checks import check_section
from mclstexp.sight.embed import frozen_encoder
from mclstexp.sight.slide_scale import places_of


def preflight(plan: Comparison) -> list[str]:
    """Make everything that an experiment names, the cheapest first, down to the first fold.

    Returns
    -------
    Sentences about the sections, each once: what reading them warned of, what `check_section` finds, and what will not
    be scored.

    Raises
    ------
    InputError
        If a method, option, file, encoder, section, fold, panel or gene set cannot be used, or a slide shows too little
        tissue for a scale of its own.
    """
    for encoder in dict.fromkeys(
        str(used) for method in plan.methods.values() if (used := options(method).get("encoder"))
    ):
        frozen_encoder(encoder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sections = plan.shown
    notes = []
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            notes.append(str(warning.message))
        else:  # a library's word to developers
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    for section in sections:
        notes += check_section(section, min_counts=plan.experiment.data.min_counts)
        notes += plan.notes_on(section)
        if any(options(method).get("slide_scale") for method in plan.methods.values()):
            places_of(section.tiles.slide, section.tiles.spec)
    plan.check()
    return list(dict.fromkeys(notes))
