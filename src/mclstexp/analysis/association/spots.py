"""The scan over spots of sections: means over sections, then over individuals, and p by random maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from mclstexp.analysis.association.fields import Field, FieldNull, MoranNull, ShiftNull
from mclstexp.core.progress import counted

NULLS: dict[str, type[FieldNull]] = {"moran": MoranNull, "shifts": ShiftNull}


@dataclass(frozen=True, eq=False)
class SpotScan:
    """What traits and markers have in common over the spots of sections."""

    r: Float[np.ndarray, "n_traits n_markers"]
    """Mean over sections of an individual, then over individuals; NaN where nothing varies together anywhere."""
    p: Float[np.ndarray, "n_traits n_markers"]
    """Two-sided, of random maps."""
    p_naive: Float[np.ndarray, "n_traits n_markers"]
    """Two-sided, as if spots were independent: for comparison alone."""
    n_units: Float[np.ndarray, "n_traits n_markers"]
    """Individuals in whom both vary."""
    agreeing: Float[np.ndarray, "n_traits n_markers"]
    """Share of them whose correlation has the mean's sign."""


def spot_scan(fields: Sequence[Field], *, null: str, n_draws: int, seed: int) -> SpotScan:
    """Correlate maps over spots, and say how often unrelated maps that are as smooth correlate so well.

    Sections of an individual are averaged rank by rank (comonotone), as serial cuts are that show one tissue;
    individuals are independent (see `analysis.spatial_null.spatial_p`). Where no draw comes up to what was observed and
    the null knows its spread, p is the bound of Hoeffding, 2 exp(-½ r²/σ²), if that is smaller than 1 / (n_draws + 1):
    sums with random signs never have wider tails. So false discovery rates over thousands of pairs need no millions of
    draws.

    Parameters
    ----------
    fields
        Sections, all with the same traits and markers.
    null
        "moran" or "shifts".
    n_draws, seed
        Random maps of each section.
    """
    rng = np.random.default_rng(seed)
    units = list(dict.fromkeys(field.unit for field in fields))
    nulls: dict[str, list[tuple[Field, FieldNull]]] = {unit: [] for unit in units}
    with counted("preparing null maps", len(fields), unit="section") as on_done:
        for number, field in enumerate(fields, 1):
            nulls[field.unit].append((field, NULLS[null](field, n_draws=n_draws, rng=rng)))
            on_done(number, field.section)
    means = np.array([_mean([field.observed for field, _ in some]) for some in nulls.values()])
    r = _mean(means)
    orders = [rng.permutation(n_draws) for _ in units]
    p = np.empty(r.shape)
    with counted("drawing null maps", len(p), unit="trait") as on_done:
        for trait in range(len(p)):
            p[trait] = _p_of(trait, np.abs(r[trait]), list(nulls.values()), orders)
            on_done(trait + 1, "")
    known = np.isfinite(means)
    agreeing = ((np.sign(means) == np.sign(r)) & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return SpotScan(r, p, _naive(fields), known.sum(axis=0).astype(float), np.where(np.isnan(r), np.nan, agreeing))


def _p_of(
    trait: int,
    r: Float[np.ndarray, " n_markers"],
    nulls: Sequence[Sequence[tuple[Field, FieldNull]]],
    orders: Sequence[np.ndarray],
) -> Float[np.ndarray, " n_markers"]:
    total: Float[np.ndarray, "n_draws n_markers"] = np.zeros((len(orders[0]), len(r)))
    variance, n_units = np.zeros(len(r)), np.zeros(len(r))
    for members, order in zip(nulls, orders, strict=True):
        sum_drawn, sum_spread, n_known = np.zeros(total.shape), np.zeros(len(r)), np.zeros(len(r))
        for field, null in members:
            known = np.isfinite(field.observed[trait])
            drawn, spread = null.drawn(trait), null.spread(trait)
            # one section is as it is; several rise and fall together
            sum_drawn += (np.sort(drawn, axis=0) if len(members) > 1 else drawn) * known
            sum_spread += np.where(known, np.inf if spread is None else spread, 0)
            n_known += known
        total += sum_drawn[order] / np.maximum(n_known, 1)
        variance += (sum_spread / np.maximum(n_known, 1)) ** 2
        n_units += n_known > 0
    reached = (np.abs(total) >= r * n_units - 1e-12).sum(axis=0)
    p = (1 + reached) / (len(total) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = 2 * np.exp(-0.5 * (r * n_units) ** 2 / variance)
    return np.where(n_units > 0, np.where(reached == 0, np.fmin(p, bound), p), np.nan)


def _mean(values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Average over the first axis what is known; NaN where nothing is."""
    values = np.asarray(values)
    known = np.isfinite(values)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(n, 1), np.nan)


def _naive(fields: Sequence[Field]) -> Float[np.ndarray, "n_traits n_markers"]:
    """Add Fisher's z of sections as if spots were independent."""
    z, weight = np.zeros(fields[0].observed.shape), np.zeros(fields[0].observed.shape)
    for field in fields:
        known = np.isfinite(field.observed)
        n = max(len(field.xy_um) - 3 - (0 if field.given is None else field.given.shape[1]), 0)
        z += n * np.arctanh(np.clip(np.nan_to_num(field.observed), -1 + 1e-12, 1 - 1e-12))
        weight += n * known
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, 2 * norm.sf(np.abs(z) / np.sqrt(weight)), np.nan)
