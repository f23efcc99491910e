"""Scores of gene sets (markers, pathways) on what was measured and what was predicted, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy.stats import false_discovery_control

from mclstexp.analysis.pairs import Pair, Which, over_patients, values_of
from mclstexp.analysis.spatial_null import Unit, maps_of, spatial_p
from mclstexp.core.errors import InputError
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import check_sections
from mclstexp.io.guard import reading

GeneSets = Mapping[str, Sequence[str]]
"""Names of genes by name of the set."""
_AT_ONCE = 2000  # sets scored at a time
_VALUES = 2**24  # of spots times genes that are scored at a time


def read_gmt(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Read gene sets from a GMT file: a set per line, name, description and genes divided by tabs.

    Returns
    -------
    Genes by name of the set, in the file's order; a gene that a line names twice counts once.

    Raises
    ------
    InputError
        If there is no such file, a line has no gene, or two sets have one name.
    """
    path, sets = Path(path), {}
    with reading(path, "gene sets (GMT: name, description, genes, divided by tabs)"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            name, *rest = (part.strip() for part in line.split("\t"))
            genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
            if not name or not genes:
                msg = f"line {number} is {line[:40]!r}, which has no name or no gene"
                raise ValueError(msg)
            if name in sets:
                msg = f"line {number} names the set {name!r} again"
                raise ValueError(msg)
            sets[name] = genes
        if not sets:
            msg = "it is empty"
            raise ValueError(msg)
    return sets


def score_gene_sets(
    of: Pair | AnnData, gene_sets: GeneSets, *, which: Which = "predicted", min_genes: int = 5
) -> pd.DataFrame:
    """Score gene sets in each spot of a section, or in each tile of a predicted slide.

    The score is decoupler's univariate linear model (Badia-i-Mompel et al. 2022): the t-value with which, in one spot,
    the set's genes lie above the panel's others. Nothing is drawn at random, and no other spot is looked at. It tells
    spots apart; two sets' scores, or those of truth and prediction, are not on one scale.

    Parameters
    ----------
    of
        A section measured and predicted, or a prediction alone.
    gene_sets
        Names of genes by name of the set, as `read_gmt` returns them.
    which
        What is scored; a prediction alone has no truth.
    min_genes
        A set of which the panel holds fewer genes is not scored.

    Returns
    -------
    Spots as rows, sets as columns. NaN where a tile has no prediction, and for a set with too few genes in the panel or
    with all of it.

    Raises
    ------
    InputError
        If no set has enough genes in the panel, the truth of a prediction alone is asked for, or decoupler is not
        installed (extra ``analysis``).
    """
    panel = list(of.genes) if isinstance(of, Pair) else list(map(str, of.var_names))
    spots = of.section.tiles.ids if isinstance(of, Pair) else np.asarray(of.obs_names, str)
    found = _in_panel(gene_sets, panel, min_genes=min_genes)
    scores = pd.DataFrame(np.nan, index=pd.Index(spots.astype(object)), columns=list(gene_sets))
    scores[list(found)] = _linear_model(values_of(of, which), list(found.values()), panel=panel)
    return scores


def compare_gene_sets(
    pairs: Sequence[Pair],
    gene_sets: GeneSets,
    *,
    min_genes: int = 5,
    n_permutations: int = 999,
    n_random: int = 100,
    unit: Unit = "patient",
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate the scores of gene sets on truth and prediction, and say whether that is more than chance.

    Two kinds of chance: unrelated maps that are as smooth (`spatial_p`), and other genes. Many genes share the
    section's main pattern, so that a set of genes drawn at random is often predicted well, too; a named set says
    something of its own only if it beats most of those.

    Parameters
    ----------
    pairs
        Sections, measured and predicted. The genes that all of them predict are looked at.
    gene_sets, min_genes
        As in `score_gene_sets`.
    n_permutations
        Random maps per section.
    n_random
        Sets drawn from the panel for each number of genes; the same for all sections.
    unit
        What is independent, as in `rank_genes`.
    seed
        Of the random maps and sets.

    Returns
    -------
    One row per set in the given order (index "gene_set"):

    n_genes, n_found
        Genes of the set, and those of the panel.
    pcc, pcc_SECTION
        Pearson correlation of the scores: its mean over sections within a patient, then over patients; and of each
        section. NaN for a set that is not scored.
    p_spatial, q
        One-sided p of "pcc" against maps with the same spatial pattern; Benjamini and Hochberg (1995) over sets.
    pcc_random, beats
        Mean of "pcc" over random sets of as many genes, and the share of them that have a lower one.

    Raises
    ------
    InputError
        As `score_gene_sets`; if there is no pair or a section comes twice, or there are fewer than 19 permutations.
    """
    check_sections([pair.section for pair in pairs])
    panel = [gene for gene in pairs[0].genes if all(gene in pair.genes for pair in pairs)]
    found = _in_panel(gene_sets, panel, min_genes=min_genes)
    names, n_found = list(found), [len(genes) for genes in found.values()]
    drawn = _draw(n_found, panel, n_random=n_random, seed=seed)
    of_sections, maps = {}, []
    for pair in pairs:
        at = [pair.genes.index(gene) for gene in panel]
        truth, predicted = (
            _linear_model(values[:, at], [*found.values(), *drawn], panel=panel) for values in (pair.truth, pair.guess)
        )
        of_sections[pair.id] = pearson_per_gene(truth, predicted)
        maps.append(maps_of(pair, truth[:, : len(found)], predicted[:, : len(found)], names=names, unit=unit))
    every = pd.DataFrame(of_sections)
    mean = over_patients(every, pairs).to_numpy()
    table = pd.DataFrame({"n_found": n_found, "pcc": mean[: len(found)]}, index=pd.Index(names, name="gene_set"))
    table = table.join(every.iloc[: len(found)].set_axis(table.index).add_prefix("pcc_"))
    table["p_spatial"] = spatial_p(maps, names=names, n_permutations=n_permutations, seed=seed)
    known = table["p_spatial"].notna()
    table.loc[known, "q"] = false_discovery_control(table.loc[known, "p_spatial"]) if known.any() else np.nan
    others = {n: mean[len(found) :][[len(genes) == n for genes in drawn]] for n in set(n_found)}
    table["pcc_random"] = [others[n].mean() if n_random else np.nan for n in n_found]
    table["beats"] = [
        (others[n] < pcc).mean() if n_random else np.nan for n, pcc in zip(n_found, table["pcc"], strict=True)
    ]
    return _with_unscored(table, gene_sets, panel)


def _with_unscored(table: pd.DataFrame, gene_sets: GeneSets, panel: Sequence[str]) -> pd.DataFrame:
    """Give every set that was asked for a row, in the order it was asked in."""
    whole = table.reindex(pd.Index(list(gene_sets), name="gene_set"))
    whole["n_found"] = [len(set(genes).intersection(panel)) for genes in gene_sets.values()]
    whole.insert(0, "n_genes", [len(set(genes)) for genes in gene_sets.values()])
    return whole


def _in_panel(gene_sets: GeneSets, panel: Sequence[str], *, min_genes: int) -> dict[str, list[str]]:
    """Return the genes of each set that the panel holds, of sets that can be scored."""
    of_set = {name: set(genes).intersection(panel) for name, genes in gene_sets.items()}
    # all of the panel lies above nothing
    found = {name: sorted(genes) for name, genes in of_set.items() if max(min_genes, 1) <= len(genes) < len(panel)}
    if not found:
        most = max(of_set, key=lambda name: len(of_set[name]), default="none given")
        msg = (
            f"gene sets with {max(min_genes, 1)} or more genes of the panel (like {panel[0]}) and not all of its "
            f"{len(panel)} expected, found {len(of_set.get(most, ()))} in the largest ({most}): give names as the "
            "panel's, or lower min_genes"
        )
        raise InputError(msg)
    return found


def _draw(sizes: Iterable[int], panel: Sequence[str], *, n_random: int, seed: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [list(rng.choice(panel, n, replace=False)) for n in sorted(set(sizes)) for _ in range(n_random)]


def _linear_model(
    values: Float[np.ndarray, "n_spots n_genes"], sets: Sequence[Sequence[str]], *, panel: Sequence[str]
) -> Float[np.ndarray, "n_spots n_sets"]:
    """Score sets by decoupler; NaN where a spot has no values, 0 where all its genes are alike."""
    try:
        import decoupler  # noqa: PLC0415
    except ImportError as error:
        msg = "decoupler expected for scores of gene sets, found none: pip install 'mclstexp[analysis]'"
        raise InputError(msg) from error
    has_values = np.isfinite(values).all(axis=1)
    scores = np.where(has_values, 0.0, np.nan)[:, None].repeat(len(sets), axis=1)
    varied = np.flatnonzero(has_values & (np.ptp(values, axis=1) > 0))
    for spots in blocks(len(varied), len(panel), most=_VALUES):
        rows = varied[spots]
        data = pd.DataFrame(values[rows].astype(np.float64), index=rows.astype(str), columns=list(panel))
        for start in range(0, len(sets), _AT_ONCE):
            some = sets[start : start + _AT_ONCE]
            source = np.repeat(np.arange(len(some)), [len(genes) for genes in some]).astype(str)
            net = pd.DataFrame({"source": source, "target": [gene for genes in some for gene in genes]})
            found = decoupler.mt.ulm(data=data, net=net, tmin=1, empty=False)[0]
            scores[np.ix_(rows, start + found.columns.astype(int))] = found.loc[data.index]
    return scores
