"""Which genes a prediction can be trusted for: the published ranking and, beside it, an honest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import betainc, betaln, hyp2f1
from scipy.stats import false_discovery_control

from mclstexp.analysis.pairs import Pair, over_patients
from mclstexp.analysis.spatial_null import Unit, maps_of, spatial_p
from mclstexp.core.depth import CURVE, Patterns, depth_patterns
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import check_sections
from mclstexp.evaluation.ceiling import ceiling_of, log_depth, reliability
from mclstexp.evaluation.metrics import pcc_depth

VERDICTS: Final = ("predictable", "doubtful", "not predictable")
FALSE_DISCOVERIES: Final = 0.05
"""Expected share of genes called spatially significant that are not."""
HALF: Final = 0.5
"""Share of the ceiling that a gene must reach: below, three quarters of the variance that can be explained is not."""
MEASURED: Final = 0.3
"""Ceiling given depth below which a section says too little about a gene to judge its prediction."""


def rank_genes(
    pairs: Sequence[Pair],
    *,
    n_permutations: int = 999,
    unit: Unit = "patient",
    seed: int = 0,
) -> pd.DataFrame:
    """Rank genes by how well they are predicted, and say of each whether that is more than chance.

    The verdict rests on what a gene adds to the density of cells, which moves most genes at once: truth and prediction
    first lose all that a curve over log depth explains. Then there are two questions. *More than chance?* q < 0.05:
    two unrelated maps, each as smooth as these, would seldom correlate so well. *Enough?* share ≥ 0.5: the
    correlation is at least half of what the noise of the counts lets anybody reach. "predictable" is a gene with both
    answers yes, "not predictable" one with both no; all others are "doubtful": real but weak, strong but possibly by
    chance, or (ceiling below 0.3) with too little of its own in the counts for either. "why" says which. A verdict
    holds for tissue like the tested sections'.

    Parameters
    ----------
    pairs
        Sections, measured and predicted by models that did not see them; their panels may differ.
    n_permutations
        Random maps per section; p is never below 1 / (n_permutations + 1).
    unit
        What is independent. Sections of one patient are often serial cuts that show one tissue: with "patient" their
        random correlations rise and fall together, as if they were one section; so do those of unknown patients.
        With "section" each counts on its own, which finds more genes and, on serial cuts, too many.
    seed
        Of the random maps.

    Returns
    -------
    One row per gene, best score first (index "gene"):

    score
        Mean over sections of -log10 of the two-sided p of Pearson's r, as in the mclSTExp paper (2024, downstream
        analysis). It takes spots for independent, hence for ranking only; a negative correlation scores too.
    pcc, pcc_SECTION
        Pearson correlation: its mean over sections within a patient, then over patients; and of each section.
    ceiling
        The PCC a perfect predictor would reach: `ceiling_of` the mean `reliability`, 0 where that is below.
    given_depth, ceiling_given_depth, share
        Both again, depth taken out (`metrics.pcc_depth` and `reliability` with `CURVE` powers); their ratio.
    p_spatial, q
        One-sided p of "given_depth" against maps with the same spatial pattern (`null_correlations`); Benjamini and
        Hochberg (1995) over genes.
    verdict, why
        See above.

    A gene whose truth is constant on all sections has NaN throughout and is "doubtful".

    Raises
    ------
    InputError
        If there is no pair, a section comes twice, or there are fewer than 19 permutations.
    """
    check_sections([pair.section for pair in pairs])
    genes = list(dict.fromkeys(gene for pair in pairs for gene in pair.genes))
    per_section = [_of_section(pair) for pair in pairs]
    table = pd.DataFrame(index=pd.Index(genes, name="gene"))
    table["score"] = pd.concat([found["score"] for found in per_section], axis=1).reindex(genes).mean(axis=1)
    of_section = {
        name: pd.concat([found[name] for found in per_section], axis=1, keys=[pair.id for pair in pairs]).reindex(genes)
        for name in ("pcc", "reliability", "given_depth", "reliability_given_depth")
    }
    for name, without in (("pcc", ""), ("given_depth", "_given_depth")):
        table[name] = over_patients(of_section[name], pairs)
        # each gene by itself: drawn to the others a shallow one would seem to be measured
        mean = over_patients(of_section[f"reliability{without}"], pairs).to_numpy(np.float64)
        table[f"ceiling{without}"] = ceiling_of(mean).clip(min=0)
    table = table.join(of_section["pcc"].add_prefix("pcc_"))
    table["share"] = table["given_depth"] / table["ceiling_given_depth"].where(table["ceiling_given_depth"] > 0)
    table["p_spatial"] = spatial_p(
        [maps_of(pair, pair.truth, pair.guess, names=pair.genes, unit=unit, given=_depth_of(pair)) for pair in pairs],
        names=genes,
        n_permutations=n_permutations,
        seed=seed,
    )
    known = table["p_spatial"].notna()
    table.loc[known, "q"] = false_discovery_control(table.loc[known, "p_spatial"]) if known.any() else np.nan
    verdicts = [_judge(*row) for row in zip(table["q"], table["share"], table["ceiling_given_depth"], strict=True)]
    table[["verdict", "why"]] = pd.DataFrame(verdicts, index=table.index)
    return table.sort_values("score", ascending=False, kind="stable")


def minus_log10_p(r: Float[np.ndarray, " n_genes"], n_spots: int) -> Float[np.ndarray, " n_genes"]:
    """Return -log10 of the two-sided p of Pearson's r, which does not underflow.

    With independent normal spots r² follows a beta distribution, so p = I(1 - r²; n/2 - 1, 1/2), the regularised
    incomplete beta function. Where that leaves the range of a double its logarithm is taken from the hypergeometric
    series (DLMF 8.17.8).

    Parameters
    ----------
    r
        (n_genes,) correlations; NaN stays NaN.
    n_spots
        Spots they were taken over.

    Returns
    -------
    (n_genes,); infinite for a perfect correlation, NaN for fewer than 3 spots.
    """
    r = r.astype(np.float64)
    if n_spots < 3:
        return np.full(r.shape, np.nan)
    a, b = n_spots / 2 - 1, 0.5
    x = (1 - r) * (1 + r)
    p = betainc(a, b, x)
    small = (p < 1e-200) & (x > 0)
    far = np.where(small, x, 0.5)
    log_p = a * np.log(far) + b * np.log1p(-far) - np.log(a) - betaln(a, b) + np.log(hyp2f1(a + b, 1, a + 1, far))
    with np.errstate(divide="ignore"):
        return -np.where(small, log_p, np.log(p)) / np.log(10)


def _of_section(pair: Pair) -> pd.DataFrame:
    pcc, counts = pearson_per_gene(pair.truth, pair.guess), pair.section.counts
    totals = np.asarray(counts.X.sum(axis=1), np.float64).ravel()
    return pd.DataFrame(
        {
            "score": minus_log10_p(pcc, len(pair.section)),
            "pcc": pcc,
            "reliability": reliability(counts, space=pair.space),
            "given_depth": pcc_depth(pair.truth, pair.guess, depth=totals, powers=CURVE),
            "reliability_given_depth": reliability(counts, space=pair.space, given_depth=True, powers=CURVE),
        },
        index=list(pair.genes),
    )


def _depth_of(pair: Pair) -> Patterns:
    return depth_patterns(log_depth(pair.section.counts), powers=CURVE)


def _judge(q: float, share: float, ceiling: float) -> tuple[str, str]:
    if not ceiling >= MEASURED:
        return "doubtful", "too little of its own was measured to judge"
    real, enough = q < FALSE_DISCOVERIES, share >= HALF
    if real and enough:
        return "predictable", "given depth, beyond chance and at least half of the ceiling"
    if real:
        return "doubtful", "given depth, beyond chance, but below half of the ceiling"
    if enough:
        return "doubtful", "given depth, at least half of the ceiling, but an unrelated map as smooth might be"
    return "not predictable", "given depth, neither beyond chance nor half of the ceiling"
