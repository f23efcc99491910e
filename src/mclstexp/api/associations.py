"""What goes with what, from files: spots of sections, and tables of individuals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool

from mclstexp.analysis.association.associate import Associations, Individuals, associate
from mclstexp.analysis.association.from_sections import (
    Given,
    expression_table,
    given_table,
    image_axes,
    label_table,
    labelled,
    spots_of,
)
from mclstexp.analysis.association.replicate import replicate
from mclstexp.cohort.cells import covariate
from mclstexp.cohort.rows import read_rows
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import learnable
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_free_file
from mclstexp.sight.sight import Sight


@dataclass(frozen=True)
class SpotScanConfig:
    """What of measured sections is scanned against what."""

    traits: Literal["image", "genes"] = "image"
    """Axes of what the images show, or measured expression."""
    markers: Literal["genes", "label"] = "genes"
    """Measured expression, or what a pathologist called the spots."""
    genes: str | None = None
    """File of gene names, one a line; the usual panel by default."""
    encoder: str = "efficientnet_lite0"
    """Frozen image encoder."""
    n_axes: int = 10
    """Principal components of its features."""
    given: tuple[Given, ...] = ("depth",)
    """What is taken out of both sides: the density of cells moves most genes and most features at once."""
    null: Literal["moran", "shifts"] = "moran"
    """How maps without an association are drawn."""


def associate_spots(
    data: DataConfig,
    config: SpotScanConfig = SpotScanConfig(),
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    out: Path | str,
    n_permutations: int = 999,
    overwrite: bool = False,
) -> Associations:
    """Read sections and say what goes with what over their spots; see `analysis.associate`.

    Parameters
    ----------
    data
        Measured sections.
    config
        What is scanned.
    tile
        Size and scale of the tiles that are looked at.
    out
        CSV file for the table.
    n_permutations
        Random maps of each section.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    InputError
        If the data cannot be read, expression is asked for on both sides, there are no labels, or the place is taken.
    """
    out = Path(out)
    require_free_file(out, what="the associations", overwrite=overwrite, endings=(".csv",))
    if config.traits == config.markers:
        msg = "traits and markers of two kinds expected, found genes twice: take label for the markers"
        raise InputError(msg)
    sections = learnable(data.read(tile), min_counts=data.min_counts)
    if config.markers == "label":
        sections = labelled(sections)
    tables = {}
    if "genes" in (config.traits, config.markers):
        genes = None if config.genes is None else ExpressionSpace(tuple(read_genes(config.genes)))
        tables["genes"] = expression_table(sections, genes or ExpressionSpace.fit(sections))
    if config.traits == "image":
        tables["image"] = image_axes(sections, Sight(encoder=config.encoder), n=config.n_axes)
    if config.markers == "label":
        tables["label"] = label_table(sections)
    found = associate(
        tables[config.traits],
        tables[config.markers],
        spots_of(sections, null=config.null),
        covariates=given_table(sections, config.given),
        n_permutations=n_permutations,
    )
    _write(found.table, out)
    return found


def associate_individuals(
    traits: Path | str,
    markers: Path | str,
    *,
    out: Path | str,
    covariates: Sequence[str] = (),
    strata: str | None = None,
    hold_out: float = 0.0,
    overwrite: bool = False,
) -> tuple[Associations, pd.DataFrame | None]:
    """Read two tables of individuals and say what goes with what; see `analysis.associate`.

    Parameters
    ----------
    traits, markers
        Tables (.csv, .tsv or .parquet), a row for each individual, whose names stand in the first column; those in both
        are taken.
    out
        CSV file for the table.
    covariates
        Columns of the traits' table that are no traits and are taken out of both sides.
    strata
        Column of the traits' table: who may stand for whom, as site; it is no trait.
    hold_out
        Share of the individuals, chosen by lot, in whom what is found is tested again.
    overwrite
        Whether files that are there are replaced.

    Returns
    -------
    What was found, and how it replicated (also written, as ``NAME_replication.csv``); None where nobody was held out.

    Raises
    ------
    InputError
        If a table cannot be read, a column is missing, nobody is in both, or a place is taken.
    """
    out = Path(out)
    beside = out.with_name(f"{out.stem}_replication{out.suffix}")
    for path in (out, beside) if hold_out else (out,):
        require_free_file(path, what="the associations", overwrite=overwrite, endings=(".csv",))
    if not 0 <= hold_out < 1:
        msg = f"a share from 0 to below 1 to be held out expected, found {hold_out:g}: give 0.5 for a half"
        raise InputError(msg)
    people = _read_people(traits, markers, covariates=covariates, strata=strata)
    n = len(people.traits)
    held = np.random.default_rng(0).permutation(n) < round(hold_out * n)
    some = people.take(~held)
    found = associate(some.traits, some.markers, some.units, covariates=some.covariates)
    again = None
    if hold_out:
        some = people.take(held)
        again = replicate(found, some.traits, some.markers, some.units, covariates=some.covariates, by="p_family")
        _write(again, beside)
    _write(found.table, out)
    return found, again


@dataclass(frozen=True, eq=False)
class _People:
    """Individuals who are in two tables."""

    traits: pd.DataFrame
    markers: pd.DataFrame
    covariates: pd.DataFrame | None
    strata: pd.Series | None

    @property
    def units(self) -> Individuals:
        return Individuals(strata=None if self.strata is None else self.strata.astype(str).tolist())

    def take(self, rows: Bool[np.ndarray, " n"]) -> _People:
        covariates = None if self.covariates is None else self.covariates[rows]
        return _People(
            self.traits[rows], self.markers[rows], covariates, None if self.strata is None else self.strata[rows]
        )


def _read_people(traits: Path | str, markers: Path | str, *, covariates: Sequence[str], strata: str | None) -> _People:
    left, right = _individuals(traits), _individuals(markers)
    names = [name for name in left.index if name in right.index]
    others = [*covariates, *([] if strata is None else [strata])]
    lacking = [name for name in others if name not in left]
    if not names or lacking:
        what = f"no column {lacking[0]!r} in {traits}" if lacking else "nobody who is in both"
        msg = f"individuals in both tables, and the columns that are named, expected, found {what}: name them alike"
        raise InputError(msg)
    n_all = len(set(left.index) | set(right.index))
    if len(names) < n_all:
        warnings.warn(f"{len(names)} of {n_all} individuals are in both tables: the others are left out", stacklevel=3)
    left, right = left.loc[names], right.loc[names]
    given = left[list(covariates)] if covariates else None
    return _People(left.drop(columns=others), right, given, None if strata is None else left[strata])


def _individuals(path: Path | str) -> pd.DataFrame:
    """Read a table whose first column names individuals."""
    rows = read_rows(path)
    names = rows.iloc[:, 0].astype(str)
    if not names.is_unique:
        twice = names[names.duplicated()].iloc[0]
        msg = (
            f"each individual once expected in the first column of {path}, found {twice!r} twice: average or drop rows"
        )
        raise InputError(msg)
    columns = [covariate(rows[name], path=path).set_axis(names) for name in rows.columns[1:]]
    if not columns:
        msg = f"a column beside the names of individuals expected in {path}, found none: add it"
        raise InputError(msg)
    return pd.concat(columns, axis=1)


def _write(table: pd.DataFrame, out: Path) -> None:
    with atomic_path(out) as path:
        table.to_csv(path, index=False)
