"""Which sections teach and which examine: folds by patient, or knowingly by section."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mclstexp.core import keys
from mclstexp.core.display import html_of, plural, some
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section, check_sections


@dataclass(frozen=True, repr=False)
class Fold:
    """Sections to learn from and sections to be judged on.

    Raises
    ------
    InputError
        If a side is empty, a section stands on both, or (unless `by` is "section") a patient does or is not known.
    """

    name: str
    """Says what is held out."""
    train: tuple[Section, ...]
    """All that a method may see."""
    test: tuple[Section, ...]
    """What it is judged on."""
    by: Literal["patient", "section"] = "patient"
    """What the two sides do not share; "section" lets serial sections of one tumour stand on both."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", tuple(self.train))
        object.__setattr__(self, "test", tuple(self.test))
        if not (self.train and self.test):
            msg = (
                f"fold {self.name}: sections on both sides expected, "
                f"found {len(self.train)} to learn from and {len(self.test)} to test on: add sections"
            )
            raise InputError(msg)
        check_sections((*self.train, *self.test))
        _check_painted(self)
        if self.by == "section":
            return
        check_patients_known((*self.train, *self.test))
        shared = {str(section.patient) for section in self.train} & {str(section.patient) for section in self.test}
        if shared:
            msg = (
                f"fold {self.name}: patients on one side only expected, found {min(shared)!r} on both: "
                f"move that patient's sections together, or say {word('by', 'section')} if that is meant"
            )
            raise InputError(msg)

    def __repr__(self) -> str:
        return (
            f"Fold {self.name}: learns from {plural(len(self.train), 'section')} of {self._whose(self.train)}, "
            f"is tested on {plural(len(self.test), 'section')} of {self._whose(self.test)}"
        )

    def _repr_html_(self) -> str:
        rows = {
            side: f"{some([section.id for section in sections], most=10)} ({self._whose(sections)})"
            for side, sections in (("learns from", self.train), ("tested on", self.test))
        }
        return html_of(f"Fold {self.name}", rows | {"held out by": self.by})

    @staticmethod
    def _whose(sections: Sequence[Section]) -> str:
        return some(sorted({section.patient or "an unknown patient" for section in sections}))


def _check_painted(fold: Fold) -> None:
    """Refuse painted sections as a test, and as training where who painted them learnt from what is tested."""
    for section in fold.test:
        if keys.SYNTHETIC in section.counts.uns:
            msg = (
                f"fold {fold.name}: measured sections to test on expected, found {section.id}, whose tiles were "
                "painted: learn from it, or leave it out"
            )
            raise InputError(msg)
    tested = {section.id for section in fold.test}
    if fold.by == "patient":
        tested |= {str(section.patient) for section in fold.test}
    for section in fold.train:
        seen = dict(section.counts.uns.get(keys.SYNTHETIC, {}))
        shared = tested & {*map(str, seen.get("learnt_from", ())), *map(str, seen.get("patients", ()))}
        if shared:
            msg = (
                f"fold {fold.name}: painted tiles of a generator that saw nothing of the test expected, found "
                f"{section.id}, whose generator learnt from {min(shared)}: fit one on the training side"
            )
            raise InputError(msg)


def folds_by_patient(sections: Sequence[Section], *, n_folds: int | None = None) -> list[Fold]:
    """Hold out each patient in turn, or patients in groups.

    Parameters
    ----------
    sections
        All sections of a study.
    n_folds
        Number of folds; one per patient by default. Larger patients are dealt first, each to the fold with
        the fewest spots so far, so the result does not depend on the order of `sections`.

    Raises
    ------
    InputError
        If a patient is not known, there are fewer than two, or not 2 ≤ n_folds ≤ patients.
    """
    sections = check_sections(sections)
    check_patients_known(sections)
    n_spots: dict[str, int] = {}
    for section in sections:
        n_spots[str(section.patient)] = n_spots.get(str(section.patient), 0) + len(section)
    if len(n_spots) < 2:
        msg = (
            f"folds by patient need at least two patients, found only {min(n_spots)!r}: add another patient, or say "
            f"{word('by', 'section')} knowing that sections of one patient resemble each other, which flatters scores"
        )
        raise InputError(msg)
    n_folds = len(n_spots) if n_folds is None else n_folds
    if not 2 <= n_folds <= len(n_spots):
        msg = f"n_folds must lie between 2 and the number of patients ({len(n_spots)}), found {n_folds}"
        raise InputError(msg)
    groups: list[list[str]] = [[] for _ in range(n_folds)]
    for patient in sorted(n_spots, key=lambda p: (-n_spots[p], p)):
        min(groups, key=lambda group: sum(n_spots[p] for p in group)).append(patient)
    return [
        Fold(
            name="+".join(sorted(group)),
            train=tuple(s for s in sections if s.patient not in group),
            test=tuple(s for s in sections if s.patient in group),
        )
        for group in sorted(groups, key=sorted)
    ]


def check_patients_known(sections: Sequence[Section]) -> None:
    """Refuse sections of which nobody said whom they come from.

    Raises
    ------
    InputError
        If there is one; says how to name patients.
    """
    unknown = [section.id for section in sections if section.patient is None]
    if unknown:
        listed = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
        msg = (
            f"folds by patient need to know whom each section comes from, found no patient of {len(unknown)} of "
            f"{len(sections)} sections ({listed}): name them with {word('patients')}, or say {word('by', 'section')}, "
            "which tells nothing about new patients"
        )
        raise InputError(msg)


def tuning_units(sections: Sequence[Section]) -> list[str]:
    """Name for each section what is set aside as a whole where something is tuned within the training sections.

    Patients. A section of an unknown patient counts on its own: for tuning only, where it can flatter a choice but
    no score. Claims about patients are never made from these.
    """
    return [section.id if section.patient is None else section.patient for section in sections]


def folds_by_section(sections: Sequence[Section]) -> list[Fold]:
    """Hold out each section in turn, although others of its patient stay in training.

    The protocol of most published tables. Serial sections of one tumour make it a test of interpolation within a
    patient; scores are higher than on a new one.

    Raises
    ------
    InputError
        If there are fewer than two sections.
    """
    sections = check_sections(sections)
    if len(sections) < 2:
        msg = f"folds by section need at least two sections, found only {sections[0].id!r}: add another section"
        raise InputError(msg)
    return [
        Fold(held_out.id, train=tuple(s for s in sections if s is not held_out), test=(held_out,), by="section")
        for held_out in sections
    ]


def split_validation(
    sections: Sequence[Section], *, share: float = 0.2, seed: int = 0
) -> tuple[list[Section], list[Section]]:
    """Set training sections aside for choosing epochs, k or a penalty.

    Parameters
    ----------
    sections
        Training sections of a fold.
    share
        Share of the patients (of the sections where there are fewer than three patients) set aside; at least one
        is, and at least one stays. A section of an unknown patient counts as one of its own here (`tuning_units`).
    seed
        Which ones.

    Returns
    -------
    (train, validation), each in the order given.

    Raises
    ------
    InputError
        If there are fewer than two sections, or `share` is not between 0 and 1.
    """
    sections = check_sections(sections)
    if not 0 < share < 1:
        msg = f"share must lie between 0 and 1, found {share}"
        raise InputError(msg)
    if len(sections) < 2:
        msg = f"setting sections aside needs at least two, found only {sections[0].id!r}: add a section"
        raise InputError(msg)
    patients = tuning_units(sections)
    by_patient = len(set(patients)) >= 3
    unit = {s.id: patient if by_patient else s.id for s, patient in zip(sections, patients, strict=True)}
    units = sorted(set(unit.values()))
    n_aside = min(max(1, math.floor(share * len(units) + 0.5)), len(units) - 1)
    aside = set(np.random.default_rng(seed).permutation(units)[:n_aside].tolist())
    return (
        [section for section in sections if unit[section.id] not in aside],
        [section for section in sections if unit[section.id] in aside],
    )
