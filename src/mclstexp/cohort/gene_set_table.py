"""Genes of pathways, from a GMT file or a table with a column for each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.cohort.rows import read_rows
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading

MIN_GENES: Final = 5
"""Genes of a set that must be in the table of expression, or the set has no score."""


def read_gene_sets(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Read gene sets: a GMT file, or a table (.csv, .tsv, .parquet) with a column of genes for each set.

    Returns
    -------
    Genes by name of the set, in the file's order; a gene named twice counts once.

    Raises
    ------
    InputError
        If the file cannot be read, or a set has no gene.
    """
    path = Path(path)
    if path.suffix.lower() == ".gmt":
        with reading(path, "gene sets (GMT: name, description, genes, divided by tabs)"):
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            names = [line[0].strip() for line in lines]
            sets = {name.strip(): genes for name, _, *genes in lines}
        if len(sets) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"each set once expected in {path}, found {twice!r} twice: rename or drop one"
            raise InputError(msg)
    else:
        rows = read_rows(path)
        sets = {str(name): list(rows[name]) for name in rows}
    found = {name: tuple(dict.fromkeys(gene.strip() for gene in genes if gene.strip())) for name, genes in sets.items()}
    for name, genes in found.items():
        if not genes:
            msg = f"genes of each set expected in {path}, found none of {name!r}: drop it"
            raise InputError(msg)
    return found


def mean_scores(
    genes: pd.DataFrame, gene_sets: dict[str, tuple[str, ...]]
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """Score sets as the mean of those of their genes that are there.

    Returns
    -------
    (n_patients, n_sets), and the genes that each score is made of; sets with fewer than `MIN_GENES` are left out.

    Raises
    ------
    InputError
        If no set has enough.
    """
    there = {name: tuple(gene for gene in some if gene in genes.columns) for name, some in gene_sets.items()}
    kept = {name: some for name, some in there.items() if len(some) >= MIN_GENES}
    if not kept:
        most = max(map(len, there.values()))
        msg = (
            f"a gene set with {MIN_GENES} genes in the table of expression expected, found {most} at most: check that "
            "both name genes alike"
        )
        raise InputError(msg)
    values = genes.to_numpy(np.float64)
    place = {gene: column for column, gene in enumerate(genes.columns)}
    scores = {name: values[:, [place[gene] for gene in some]].mean(axis=1) for name, some in kept.items()}
    return pd.DataFrame(scores, index=genes.index), kept
