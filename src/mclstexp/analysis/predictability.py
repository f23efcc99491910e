"""Which genes of some sections could be predicted at all, asked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse
from scipy.stats import false_discovery_control, norm

from mclstexp.analysis.gene_ranking import FALSE_DISCOVERIES, HALF, MEASURED, VERDICTS, rank_genes
from mclstexp.analysis.pairs import Pair
from mclstexp.core.depth import CURVE, beyond, depth_patterns
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.gene_blocks import genes_in_blocks
from mclstexp.core.measured import MIN_COUNTS, learnable
from mclstexp.core.pearson import PerGene, Values, constant_truth
from mclstexp.core.section import Section
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.evaluation.ceiling import ceiling_of, log_depth, reliability
from mclstexp.evaluation.exam import MIN_SPOTS
from mclstexp.methods import create

OUTLOOKS: Final = ("own pattern", "no pattern", "depth alone", "hardly measured")
"""What may be hoped of a gene, the best first."""
_ENCODER: Final = "efficientnet_lite0"
_N_COMPONENTS: Final = 12  # of pls where nothing is chosen


def predictability(
    sections: Sequence[Section],
    *,
    space: ExpressionSpace | None = None,
    encoder: str = _ENCODER,
    min_counts: int = MIN_COUNTS,
) -> pd.DataFrame:
    """Say of each gene whether these sections leave anything to be predicted, and whether a plain model finds it.

    No model can predict the noise of counting, and what follows the density of cells needs no model that knows genes.
    What is left is measured in three ways: the noise ceiling given depth, spatial pattern given depth, and what `pls`
    with 12 components on a small frozen encoder predicts when each section is left out in turn. That is no answer for
    another individual wherever other sections of the same one stay in training.

    Parameters
    ----------
    sections
        Measured sections. With one alone no model is tried.
    space
        Panel and scale; the default panel, chosen on all sections, by default.
    encoder
        Frozen image encoder that `pls` looks with.
    min_counts
        Spots with fewer counts are left out, and then sections of fewer than 10 spots.

    Returns
    -------
    One row per gene (index "gene"), the most promising first:

    ceiling, ceiling_given_depth
        What a perfect predictor would score (`ceiling_of` the mean reliability), as it is and without depth.
    moran, q_moran
        Moran's I of what a curve over log depth leaves, its mean over sections; and the false discovery rate of that
        (normal approximation; z values of sections added as Stouffer's), against values without any order in space.
    pls, pls_given_depth, pls_verdict
        Mean PCC of `pls` over sections then individuals, the same given depth, and the verdict of `rank_genes`. Only
        with two sections or more.
    outlook
        "own pattern", which could be predicted: a ceiling given depth of at least 0.3, and q_moran < 0.05. "no
        pattern": the first, not the second. "depth alone": a ceiling of at least 0.3 that goes with depth. "hardly
        measured": none.

    Raises
    ------
    InputError
        If no section has enough spots with counts, or a gene of the panel is missing from one.
    """
    found = learnable(sections, min_counts=min_counts)
    space = ExpressionSpace.fit(found) if space is None else space
    for section in found:
        space(section.counts[:0])  # a missing gene is said before anything is computed
    kept = [section for section in learnable(found, min_counts=min_counts, space=space) if len(section) >= MIN_SPOTS]
    if not kept:
        msg = (
            f"a section of at least {MIN_SPOTS} spots with counts expected, found none in {len(sections)}: give others"
        )
        raise InputError(msg)
    table = _measured(kept, space)
    if len(kept) > 1:
        ranked = rank_genes(_predicted(kept, space, encoder=encoder)).reindex(table.index)
        table["pls"], table["pls_given_depth"] = ranked["pcc"], ranked["given_depth"]
        table["pls_verdict"] = ranked["verdict"]
    table["outlook"] = _outlook(table)
    place = table["outlook"].map({outlook: n for n, outlook in enumerate(OUTLOOKS)})
    best = table["pls_given_depth"] if "pls" in table else table["ceiling_given_depth"]
    return table.iloc[np.lexsort((-best.fillna(-2), place))]


def say_predictability(table: pd.DataFrame) -> str:
    """Say in one sentence what `predictability` found."""
    count = table["outlook"].value_counts().reindex(list(OUTLOOKS), fill_value=0)
    said = (
        f"Of {len(table)} genes {count['own pattern']} could be predicted: they have a pattern of their own beyond the "
        f"density of cells, measured to a ceiling given depth of at least {MEASURED:g}. {count['depth alone']} follow "
        f"depth alone, {count['no pattern']} have no pattern in space, {count['hardly measured']} were hardly measured"
    )
    if "pls" not in table:
        return f"{said}. No model was tried, for there is one section alone."
    share = table["pls_given_depth"] / table["ceiling_given_depth"].where(table["ceiling_given_depth"] >= MEASURED)
    good = table["pls_verdict"] == VERDICTS[0]
    return (
        f"{said}. A plain model of the image (pls, each section left out in turn) reaches half of that ceiling on "
        f"{(share >= HALF).sum()}, beyond chance on {good.sum()}."
    )


def _measured(sections: Sequence[Section], space: ExpressionSpace) -> pd.DataFrame:
    """Return ceilings and spatial pattern, without looking at any pixel."""
    plain, given, moran, z = [], [], [], []
    for section in sections:
        plain.append(reliability(section.counts, space=space))
        given.append(reliability(section.counts, space=space, given_depth=True, powers=CURVE))
        weights = neighbour_weights(section.tiles.xy_um)
        of_section = _moran(space(section.counts), log_depth(section.counts), weights)
        moran.append(of_section)
        z.append(_standardised(of_section, weights))
    ceilings = [ceiling_of(_mean(values)).clip(min=0) for values in (plain, given)]
    n_known = np.isfinite(z).sum(axis=0)
    p = np.where(n_known > 0, norm.sf(np.nansum(z, axis=0) / np.sqrt(np.maximum(n_known, 1))), np.nan)
    q = np.full(len(p), np.nan)
    q[np.isfinite(p)] = false_discovery_control(p[np.isfinite(p)]) if np.isfinite(p).any() else np.nan
    columns = {"ceiling": ceilings[0], "ceiling_given_depth": ceilings[1], "moran": _mean(moran), "q_moran": q}
    return pd.DataFrame(columns, index=pd.Index(space.genes, name="gene"))


@genes_in_blocks
def _moran(truth: Values, depth: Float[np.ndarray, " n_spots"], weights: sparse.csr_matrix) -> PerGene:
    rest, left = beyond(truth, depth_patterns(depth, powers=CURVE))
    return np.where(left & ~constant_truth(truth), morans_i(rest, weights), np.nan)


def _standardised(moran: PerGene, weights: sparse.csr_matrix) -> PerGene:
    """Return Moran's I in standard deviations of that of values without order (Cliff and Ord 1981, normal values)."""
    n, total = weights.shape[0], weights.sum()
    if total == 0:
        return np.full(len(moran), np.nan)
    both = weights + weights.T
    s1, s2 = both.multiply(both).sum() / 2, np.square(np.asarray(both.sum(axis=1))).sum()
    usual = -1 / (n - 1)
    variance = (n**2 * s1 - n * s2 + 3 * total**2) / ((n**2 - 1) * total**2) - usual**2
    return (moran - usual) / np.sqrt(variance)


def _mean(of_sections: Sequence[PerGene]) -> PerGene:
    """Return the mean over the sections that say something of a gene; NaN where none does."""
    values = np.stack(of_sections)
    n_known = np.isfinite(values).sum(axis=0)
    return np.where(n_known > 0, np.nansum(values, axis=0) / np.maximum(n_known, 1), np.nan)


def _predicted(sections: Sequence[Section], space: ExpressionSpace, *, encoder: str) -> list[Pair]:
    pairs = []
    for section in sections:
        others = [other for other in sections if other is not section]
        model = create("pls", encoder=encoder, n_components=_N_COMPONENTS).fit(others, space=space)
        pairs.append(Pair(section, model.predict(section.tiles)))
    return pairs


def _outlook(table: pd.DataFrame) -> pd.Series:
    own, pattern = table["ceiling_given_depth"] >= MEASURED, table["q_moran"] < FALSE_DISCOVERIES
    chosen = np.select([own & pattern, own, table["ceiling"] >= MEASURED], OUTLOOKS[:3], default=OUTLOOKS[3])
    return pd.Series(chosen, index=table.index)
