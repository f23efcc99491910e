"""What lies beside a cohort's table: expression, pathway scores, and features of the slides' tiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.feature_files import FileBag, bag_of, feature_files
from mclstexp.cohort.gene_set_table import mean_scores, read_gene_sets
from mclstexp.cohort.wide_table import of_patients
from mclstexp.core.errors import InputError


def beside_table(
    config: CohortConfig, ids: tuple[str, ...], slides: Mapping[str, tuple[str, ...]], notes: list[str]
) -> dict[str, Any]:
    """Read what the configuration names.

    Parameters
    ----------
    config
        Which files.
    ids
        The patients.
    slides
        Names of their slides.
    notes
        Takes a sentence on patients without.

    Returns
    -------
    The parts of `Patients` that were named, by field.

    Raises
    ------
    InputError
        If a file cannot be read or has none of the patients.
    """
    found: dict[str, Any] = {}
    if config.expression is not None:
        found["genes"] = of_patients(config.expression, ids, what="expression", column=config.patient, notes=notes)
    if config.pathways is not None:
        found["pathways"] = of_patients(config.pathways, ids, what="pathway scores", column=config.patient, notes=notes)
    if config.gene_sets is not None:
        if "genes" not in found:
            msg = "a table of expression beside gene_sets expected, found none: name it, or give pathways themselves"
            raise InputError(msg)
        sets = read_gene_sets(config.gene_sets)
        scores, found["gene_sets"] = mean_scores(found["genes"], sets)
        found.setdefault("pathways", scores)
        if n_few := len(sets) - len(found["gene_sets"]):
            notes.append(f"{n_few} of {len(sets)} gene sets have too few genes in the table of expression: left out")
    if config.features is not None:
        scales = [_bags(folder, ids, slides, notes) for folder in (*config.coarser, config.features)]
        found["bags"] = _of_scales(scales)
    return found


def _bags(
    folder: str, ids: tuple[str, ...], slides: Mapping[str, tuple[str, ...]], notes: list[str]
) -> tuple[tuple[Path, ...], ...]:
    """Return the files of each patient's slides."""
    files = feature_files(Path(folder))
    of = tuple(tuple(files[slide] for slide in slides.get(name, ()) if slide in files) for name in ids)
    n_slides = len([slide for name in ids for slide in slides.get(name, ()) if slide not in files])
    if not any(of):
        msg = f"features of the slides expected in {folder}, found files of other names: name them SLIDE.h5"
        raise InputError(msg)
    if n_slides:
        notes.append(f"{n_slides} slides have no features, {of.count(())} of {len(ids)} patients none at all")
    return of


def _of_scales(scales: list[tuple[tuple[Path, ...], ...]]) -> tuple[FileBag | None, ...]:
    """Return the tiles of each patient; those of wider scales, the widest first, hang on the finest."""
    *wider, finest = scales
    return tuple(bag_of(files, coarser=[bag_of(scale[row]) for scale in wider]) for row, files in enumerate(finest))
