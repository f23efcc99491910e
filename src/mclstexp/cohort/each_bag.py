"""Bags one after the other, and how far it is where somebody looks on."""

from __future__ import annotations

from collections.abc import Iterator

from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.progress import counted


def each_bag(patients: Patients, label: str) -> Iterator[tuple[str, Bag]]:
    """Yield the tiles of each patient that has some, with the patient's name.

    Parameters
    ----------
    patients
        Whose.
    label
        What is done with them, as it is shown: "shares of prototypes".
    """
    bags = [(name, bag) for name, bag in zip(patients.ids, patients.bags or (), strict=True) if bag is not None]
    with counted(label, len(bags), unit="patient") as on_done:
        for number, one in enumerate(bags, start=1):
            yield one
            on_done(number, "")
