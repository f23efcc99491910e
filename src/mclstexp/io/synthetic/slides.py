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
TRUTH: Final = ("lymphocytes", "fat", "log_hazard")
"""Columns that no model is told."""
_DAYS: Final = 30.4375
_IMMUNE, _FAT = (0.02, 0.30), (0.02, 0.40)
"""Least and most of a patient's tissue that is lymphocytes, and that is fat."""
_UNTIL: Final = 6.0
"""How long they are seen, in upper quartiles of the times: five in six have an event."""


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

        The log hazard is 2 z(lymphocytes) z(fat) + 0.5 z(stage): fat is a risk where there are many lymphocytes, and a
        shelter where there are few, so that neither matters by itself; no tumour is known in which anything weighs as
        much. "lymphocytes" and "fat" are shares of the tissue; with "log_hazard" they are the truth, of which no model
        is to be told. Age and sex do not matter; five patients each were treated at a site, which has a stain of its
        own and a hazard like the others'.
        """
        rng = default_rng([self.seed, 1, 0])
        n = self.n_patients
        names = [f"C{number:03d}" for number in range(1, n + 1)]
        immune, fat = rng.uniform(*_IMMUNE, n), rng.uniform(*_FAT, n)
        stage = rng.integers(1, 5, n)
        z_immune, z_fat, z_stage = ((values - values.mean()) / values.std() for values in (immune, fat, stage))
        risk = 2 * z_immune * z_fat + 0.5 * z_stage
        known = follow_up(rng, names, risk, until=_UNTIL)
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
                "lymphocytes": immune,
                "fat": fat,
                "log_hazard": risk,
            }
        )

    def picture(self, number: int) -> UInt8[np.ndarray, "rows columns 3"]:
        """Grow and stain the slide of a patient, counted from 0; it is the same whichever others are made."""
        known = self.table().iloc[number]
        rng = default_rng([self.seed, 2, number])
        recipe = replace(Recipe.draw(rng), immune=float(known["lymphocytes"]), fat=float(known["fat"]))
        tissue = grow_tissue(rng, (self.side_um, self.side_um), recipe=recipe)
        stain = Stain.draw(default_rng([self.seed, 3, number // PATIENTS_PER_SITE]))
        return stain_tissue(rng, tissue, mpp=self.mpp, stain=stain)
