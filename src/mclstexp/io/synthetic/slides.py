"""Slides of made-up patients, stained tissue without counts, whose outcome is known to hang on what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from numpy.random import default_rng

from mclstexp.core.errors import InputError
from mclstexp.io.synthetic.patients import follow_up
from mclstexp.io.synthetic.staining import Stain, stain_tissue
from mclstexp.io.synthetic.tissue import Recipe, grow_tissue

PATIENTS_PER_SITE: Final = 5
TRUTH: Final = ("share", "grade", "log_hazard")
"""Columns that no model is told."""
_DAYS: Final = 30.4375
_IMMUNE, _GRADE = (0.02, 0.30), (0.25, 0.75)
"""Least and most of a patient's share of lymphocytes and mean grade of the tumour."""


@dataclass(frozen=True)
class MadeCohort:
    """Patients with a slide each, and what is known of them because they are made up."""

    n_patients: int = 60
    """How many."""
    side_um: float = 1000.0
    """Width and height of a slide."""
    mpp: float = 1.0
    """µm per pixel."""
    seed: int = 0
    """Start of the random numbers; the tissue of `make_sections` is another's, whatever its seed."""

    def __post_init__(self) -> None:
        if self.n_patients < PATIENTS_PER_SITE or not self.side_um >= 300 or not self.mpp > 0:
            msg = (
                f"{PATIENTS_PER_SITE} patients or more and slides of 300 µm or more expected, found {self.n_patients} "
                f"and {self.side_um:g} µm at {self.mpp:g} µm per pixel"
            )
            raise InputError(msg)

    def table(self) -> pd.DataFrame:
        """Return a row for each patient: what a cohort's table holds, and the truth.

        The log hazard is 1.2 z(share of lymphocytes) z(grade of the tumour) + 0.5 z(grade) + 0.4 z(share) + 0.5
        z(stage): grade matters where there are many lymphocytes, and works the other way where there are few. The
        columns "share", "grade" and "log_hazard" are the truth, of which no model is to be told. Age and sex do not
        matter; five patients each were treated at a site, which has a stain of its own and a hazard like the others'.
        """
        rng = default_rng([self.seed, 1, 0])
        n = self.n_patients
        names = [f"C{number:03d}" for number in range(1, n + 1)]
        share, grade = rng.uniform(*_IMMUNE, n), rng.uniform(*_GRADE, n)
        stage = rng.integers(1, 5, n)
        z_share, z_grade, z_stage = ((values - values.mean()) / values.std() for values in (share, grade, stage))
        risk = 1.2 * z_share * z_grade + 0.5 * z_grade + 0.4 * z_share + 0.5 * z_stage
        known = follow_up(rng, names, risk)
        assert known.time is not None
        return pd.DataFrame(
            {
                "patient": names,
                "slide": names,
                "site": [f"site{number // PATIENTS_PER_SITE + 1:02d}" for number in range(n)],
                "age": rng.normal(62, 9, n).round().astype(int),
                "sex": rng.choice(["F", "M"], n),
                "stage": stage,
                "days": np.ceil(known.time * _DAYS).astype(int),
                "event": np.asarray(known.event, int),
                "share": share,
                "grade": grade,
                "log_hazard": risk,
            }
        )

    def picture(self, number: int) -> UInt8[np.ndarray, "rows columns 3"]:
        """Grow and stain the slide of a patient, counted from 0; it is the same whichever others are made."""
        known = self.table().iloc[number]
        rng = default_rng([self.seed, 2, number])
        recipe = replace(Recipe.draw(rng), immune=float(known["share"]), grade=float(known["grade"]))
        tissue = grow_tissue(rng, (self.side_um, self.side_um), recipe=recipe)
        stain = Stain.draw(default_rng([self.seed, 3, number // PATIENTS_PER_SITE]))
        return stain_tissue(rng, tissue, mpp=self.mpp, stain=stain)
