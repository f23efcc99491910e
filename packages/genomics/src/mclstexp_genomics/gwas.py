"""A cohort's genotypes against traits: from files to a table of associations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mclstexp.analysis.association.inflation import inflation
from mclstexp.analysis.association.loci import find_loci
from mclstexp.core.errors import InputError
from mclstexp.core.progress import counted, step
from mclstexp.io.atomic import atomic_path
from mclstexp_genomics.plink import Plink
from mclstexp_genomics.scan import Residualise, Scan, Scanner, filled, principal_components
from mclstexp_genomics.significance import false_discovery, family_wise
from mclstexp_genomics.tables import in_order


@dataclass(frozen=True)
class GwasOptions:
    """How a cohort is scanned."""

    residualise: Residualise = "both"
    """Which side covariates are taken out of: both, or traits alone as TorchGWAS does."""
    components: int = 0
    """How many principal components of the genotypes, which tell ancestry, join the covariates."""
    permutations: int = 0
    """How many times individuals are exchanged for the family-wise p; 0 for none."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        for name in ("components", "permutations", "seed"):
            if getattr(self, name) < 0:
                msg = f"{name} of 0 or more expected, found {getattr(self, name)}: 0 is none"
                raise InputError(msg)


@dataclass(frozen=True, eq=False)
class Association:
    """What a scan of a cohort found."""

    table: pd.DataFrame
    """A row for each marker and trait: chromosome, position, marker, a1, trait, n, r, beta, t, p, q, and p_family."""
    summary: pd.DataFrame
    """A row for each trait: lambda and its standard error, hits by each rule, loci."""
    loci: dict[str, pd.DataFrame]
    """Of each trait, the smallest p first: number of the marker, chromosome, position, p, n_markers."""
    n_people: int
    """Who was in all tables."""
    threshold: float
    """p of a hit: 0.05 over markers and traits, or 5e-8 over traits, whichever is larger."""

    def write(self, path: Path | str) -> None:
        """Write the table as tab-separated text (.tsv, also .tsv.gz)."""
        path = Path(path)
        with atomic_path(path) as temporary:
            compression: Any = "gzip" if path.suffix == ".gz" else None
            self.table.to_csv(temporary, sep="\t", index=False, float_format="%.9g", compression=compression)


def associate(
    genotypes: Plink,
    traits: pd.DataFrame,
    covariates: pd.DataFrame | None = None,
    *,
    options: GwasOptions = GwasOptions(),
    learnt_from: Collection[str] = (),
) -> Association:
    """Scan all markers against all traits, people who are not in every table left out.

    Parameters
    ----------
    genotypes
        Of the cohort.
    traits, covariates
        By name of the person, as `read_people` reads them.
    options
        How.
    learnt_from
        People from whom the traits were learnt, where a model made them: they are refused.

    Raises
    ------
    InputError
        If nobody is in all tables, or as `Scanner`.
    """
    names = [*genotypes.people["person"]]
    if len(set(names)) < len(names):
        names = [f"{family}_{person}" for family, person in genotypes.people[["family", "person"]].to_numpy()]
    rows, (wanted, *known) = in_order(names, traits, *([] if covariates is None else [covariates]))
    given = known[0].to_numpy() if known else np.empty((len(rows), 0))
    if options.components:
        step(f"Finding {options.components} principal components of {len(genotypes.markers)} markers")
        ancestry = principal_components(((at, block[rows]) for at, block in genotypes.blocks()), options.components)
        given = np.column_stack([given, ancestry])
    people = [names[row] for row in rows]
    scanner = Scanner(wanted.to_numpy(), given, residualise=options.residualise, people=people, learnt_from=learnt_from)
    scan, largest = _scanned(genotypes, scanner, rows, options)
    return _laid_out(genotypes, scan, [*map(str, wanted)], rows=rows, largest=largest)


def _scanned(genotypes: Plink, scanner: Scanner, rows: np.ndarray, options: GwasOptions) -> tuple[Scan, list[float]]:
    parts, largest = [], np.zeros(options.permutations)
    with counted("Scanning", len(genotypes.markers), unit="marker") as on_done:
        for at, block in genotypes.blocks():
            calls = block[rows]
            parts.append(scanner(calls))
            for number, null in enumerate(scanner.permuted(calls, n=options.permutations, seed=options.seed)):
                largest[number] = max(largest[number], np.nanmax(np.abs(null.t), initial=0))
            on_done(at.stop, "")
    if not parts:
        msg = f"markers expected in {genotypes.bed}, found none: give genotypes"
        raise InputError(msg)
    return Scan.joined(parts), [*largest]


def _laid_out(
    genotypes: Plink, scan: Scan, traits: list[str], *, rows: np.ndarray, largest: list[float]
) -> Association:
    markers = genotypes.markers
    n_markers, n_traits = scan.p.shape
    table = markers[["chromosome", "position", "marker", "a1"]].loc[np.repeat(np.arange(n_markers), n_traits)]
    table = table.reset_index(drop=True).assign(trait=np.tile(traits, n_markers), n=len(rows))
    found = {"r": scan.r, "beta": scan.beta, "t": scan.t, "p": scan.p, "q": false_discovery(scan.p)}
    if largest:
        found["p_family"] = family_wise(largest, scan.t)
    table = table.assign(**{name: values.ravel() for name, values in found.items()})
    threshold = max(0.05 / max(1, int(np.isfinite(scan.p).sum())), 5e-8 / n_traits)
    hits, summary = {}, []
    for column, name in enumerate(traits):
        p = scan.p[:, column]
        hits[name] = _loci(genotypes, np.flatnonzero(p <= threshold), p, rows)
        level, error = inflation(p[None])
        row = {"trait": name, "lambda": level, "lambda_se": error, "hits": int((p <= threshold).sum())}
        row |= {"q<0.05": int((found["q"][:, column] < 0.05).sum()), "loci": len(hits[name])}
        summary.append(row | ({"p_family<0.05": int((found["p_family"][:, column] < 0.05).sum())} if largest else {}))
    return Association(table, pd.DataFrame(summary), hits, len(rows), threshold)


def _loci(genotypes: Plink, hits: np.ndarray, p: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """Return the loci of the markers with these numbers: names of markers may repeat, numbers do not."""
    calls = {number: filled(genotypes.read(number, number + 1)[rows])[:, 0] for number in hits.tolist()}
    found = pd.DataFrame({"marker": hits, "p": p[hits]})
    return find_loci(found, genotypes.markers[["chromosome", "position"]], pd.DataFrame(calls))
