"""Genes nobody measured on a section, from a reference that has them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from mclstexp.api.sections import read_one
from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import ROOM, Imputer
from mclstexp.core.names import require_distinct
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.imputation import DEFAULT, create_imputer
from mclstexp.imputation.expected import expected_scores
from mclstexp.imputation.judge import judge_imputation, summarise_imputation
from mclstexp.io.atomic import atomic_path
from mclstexp.io.counts_alone import holds_counts_alone, read_counts
from mclstexp.io.libraries import libraries_of_counts
from mclstexp.io.predictions import write_prediction
from mclstexp.io.raw_counts import raw_counts
from mclstexp.io.targets import require_free_file


def impute(
    section: Section | AnnData,
    reference: AnnData,
    *,
    genes: Sequence[str] | None = None,
    method: str | Imputer = DEFAULT,
    expect: bool = True,
) -> AnnData:
    """Say where genes are active which a section's assay did not measure.

    Parameters
    ----------
    section
        A measured section, or its raw counts (n_spots, n); no image is needed.
    reference
        (n_cells, n) raw counts of single cells of such tissue, or of spots of another section; in ``X``,
        ``layers["counts"]`` or ``raw.X``.
    genes
        What is imputed; by default the genes that a twentieth of the cells express and the section lacks. One that the
        section has is hidden from the method altogether.
    method
        A name of `imputation.list_imputers`, or a method with options of its own.
    expect
        Whether the score of each gene is estimated, for which the method is run five times more.

    Returns
    -------
    AnnData (n_spots, n_genes): see `Imputer.impute`; with ``var["expected_pcc"]`` and ``var["expected_pcc_depth"]``,
    see `imputation.expected`.

    Raises
    ------
    InputError
        If section and reference share no or too few genes, values are no raw counts, a gene is named twice or is not in
        the reference, or there are not enough spots or cells with counts.
    """
    named = section.id if isinstance(section, Section) else "the section"
    counts = section.counts if isinstance(section, Section) else raw_counts(section, where="the section")
    if not isinstance(section, Section):
        _require_one(counts)
    cells = raw_counts(reference, where="the reference")
    imputer = create_imputer(method) if isinstance(method, str) else method
    imputed = imputer.impute(counts, cells, genes=genes)
    if expect:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* have no counts: .*")  # said already
            scores = expected_scores(imputer, counts, cells, targets=tuple(imputed.var_names))
        imputed.var = imputed.var.join(scores)
    imputed.obs[keys.SECTION] = named
    return imputed


def _require_one(counts: AnnData) -> None:
    require_distinct(counts.obs_names, where="the section")
    parts = list(libraries_of_counts(counts, where="the section"))
    if len(parts) > 1:
        msg = (
            f"one section expected, found {len(parts)} libraries ({', '.join(parts[:4])}{', …' if parts[4:] else ''}): "
            "give the spots of one of them, as adata[adata.obs[COLUMN] == NAME]"
        )
        raise InputError(msg)


def impute_file(
    section: DataConfig,
    reference: Path | str,
    *,
    out: Path | str,
    overwrite: bool = False,
    **how: Any,
) -> AnnData:
    """Read a section and a reference, impute, and write the result.

    Parameters
    ----------
    section
        One section: a file of counts (`io.counts_alone`), which needs no image, or any known format.
    reference
        File of the reference's counts.
    out
        The ``.h5ad``.
    overwrite
        Whether a file that is there is replaced.
    how
        The other arguments of `impute`.

    Raises
    ------
    InputError
        As `impute`; if a file cannot be read, or the place is taken or cannot be written to.
    """
    out = Path(out)
    require_free_file(
        out, what="the imputation", overwrite=overwrite, endings=(".h5ad",), made_of=[section.path, reference]
    )
    name, counts = read_section_counts(section)
    imputed = impute(counts, read_counts(reference, what="the reference"), **how)
    imputed.obs[keys.SECTION] = name
    write_prediction(imputed, out)
    return imputed


def read_section_counts(data: DataConfig) -> tuple[str, AnnData]:
    """Read one section's name and raw counts; of a file of counts no image is asked for.

    Raises
    ------
    InputError
        If it cannot be read, or there are several.
    """
    path = Path(data.path)
    if data.format in (None, "h5ad") and holds_counts_alone(path):
        return _one_of(read_counts(path, what="the section"), path, sections=data.sections)
    section = read_one(data, TileSpec())
    return section.id, section.counts


def _one_of(counts: AnnData, path: Path, *, sections: Sequence[str] | None) -> tuple[str, AnnData]:
    """Choose the one section that is asked for of a file that holds several; one that holds one is it."""
    parts = libraries_of_counts(counts, where=path.name)
    if len(parts) == 1:
        require_distinct(counts.obs_names, where=path.name)
        return path.name.partition(".")[0], counts
    chosen = [name for name in parts if sections is None or name in sections]
    if len(chosen) != 1:
        found = f"{len(parts)} ({', '.join(list(parts)[:4])}{', …' if len(parts) > 4 else ''})"
        msg = f"one section expected in {path}, found {found}: choose one with {word('sections')}"
        raise InputError(msg)
    return chosen[0], parts[chosen[0]]


def evaluate_imputation(
    section: DataConfig,
    reference: Path | str,
    *,
    methods: Sequence[str] = (),
    out: Path | str | None = None,
    overwrite: bool = False,
    **how: Any,
) -> pd.DataFrame:
    """Read a section and a reference and judge methods on genes of the section that are hidden from them.

    Parameters
    ----------
    section, reference
        As for `impute_file`.
    methods
        Names; all that are installed by default.
    out
        CSV file for the scores of every gene; none by default.
    overwrite
        Whether a file that is there is replaced.
    how
        The other arguments of `imputation.judge.judge_imputation`.

    Returns
    -------
    The summary, see `imputation.judge.summarise_imputation`.

    Raises
    ------
    InputError
        As `judge_imputation`; if a file cannot be read, a method is not known, or the place is taken.
    """
    imputers = {name: create_imputer(name) for name in methods or ROOM.ready()}
    if out is not None:
        out = Path(out)
        require_free_file(out, what="the scores", overwrite=overwrite, endings=(".csv",))
    counts = read_section_counts(section)[1]
    scores = judge_imputation(counts, read_counts(reference, what="the reference"), imputers, **how)
    if out is not None:
        with atomic_path(out) as path:
            scores.to_csv(path, index=False)
    return summarise_imputation(scores)
