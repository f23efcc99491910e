"""What is worth knowing of folds, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mclstexp.cohort.folds import MIN_EVENTS, OutcomeFold, event_weights
from mclstexp.cohort.table import Cohort


def check_folds(cohort: Cohort, folds: Sequence[OutcomeFold]) -> list[str]:
    """Say which folds have few events, and whether a site stands on both sides of one."""
    notes = []
    if cohort.known.kind != "continuous":
        counts = {fold.name: int(event_weights(cohort.known.subset(fold.test)).sum()) for fold in folds}
        few = [f"{n} in {name}" for name, n in counts.items() if n < MIN_EVENTS]
        if few:
            text = f"fewer than {MIN_EVENTS} events in {len(few)} of {len(folds)} test folds ({', '.join(few[:5])})"
            notes.append(f"{text}: their scores are mostly chance; read those of all folds together, with the interval")
    if (sites := cohort.patients.sites) is not None:
        site = dict(zip(cohort.patients.ids, sites, strict=True))
        shared = [fold.name for fold in folds if {site[n] for n in fold.train} & {site[n] for n in fold.test}]
        if shared:
            text = f"sites stand on both sides of {len(shared)} of {len(folds)} folds: what slides of a site have in"
            notes.append(f"{text} common can pass for prognosis; hold sites out where there are enough")
    return notes
