"""What can be checked in seconds is checked before hours of work, and what is worth knowing of the data is gathered."""

from __future__ import annotations

import warnings

from mclstexp.core.predictor import options
from mclstexp.evaluation.exam import prepare, too_small
from mclstexp.evaluation.run_plan import Plan
from mclstexp.io.checks import check_section
from mclstexp.sight.embed import frozen_encoder
from mclstexp.sight.slide_scale import places_of


def preflight(plan: Plan) -> list[str]:
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
    rules = plan.rules
    for encoder in dict.fromkeys(
        str(used) for method in plan.methods.values() if (used := options(method).get("encoder"))
    ):
        frozen_encoder(encoder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sections = plan.sections
    notes = []
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            notes.append(str(warning.message))
        else:  # a library's word to developers
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    for section in sections:
        notes += check_section(section, min_counts=rules.min_counts)
        notes += [f"{section.id}: {sentence}" for sentence in too_small(section, rules)]
        if any(options(method).get("slide_scale") for method in plan.methods.values()):
            places_of(section.tiles.slide, section.tiles.spec)
    prepare(next(iter(plan.folds.values())), rules)
    return list(dict.fromkeys(notes))
