"""The data of the page: one JSON object and, apart from it, one compact array after another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.colors import to_hex

from mclstexp.analysis.pairs import Pair
from mclstexp.evaluation.calibration import LEVEL
from mclstexp.plotting.maps import expression_unit, robust_limits
from mclstexp.plotting.style import DIFFERENCE, EXPRESSION, MISSING
from mclstexp.report.page_arrays import pack, quantise, scales
from mclstexp.report.page_domains import DomainsOfAll, colours_of
from mclstexp.report.page_errors import Errors
from mclstexp.report.page_study import Study
from mclstexp.report.page_thumbnail import spot_shape, take_thumbnail

WIDTHS: Final = "magma"
"""Colour map of interval widths."""
ERRORS: Final = "YlOrRd"
"""Colour map of relative errors over all genes."""


@dataclass(frozen=True)
class Payload:
    """What the page's scripts read."""

    data: dict[str, Any]
    """Plain JSON; missing numbers are None."""
    blobs: dict[str, str]
    """By name: base64 of a raw deflate stream (see `pack`)."""

    @property
    def n_bytes(self) -> int:
        """Letters of all arrays."""
        return sum(map(len, self.blobs.values()))


@dataclass(frozen=True, eq=False)
class _Values:
    """One section on the panel of the page; NaN where it has no such gene."""

    truth: Float[np.ndarray, "n_spots n_genes"]
    predicted: Float[np.ndarray, "n_spots n_genes"]
    width: Float[np.ndarray, "n_spots n_genes"] | None


def make_payload(study: Study, domains: DomainsOfAll, *, genes: Sequence[str], errors: Errors) -> Payload:
    """Gather what the explorer and the gene table show.

    Parameters
    ----------
    study
        What was predicted.
    domains
        Of its sections.
    genes
        Which genes, in order.
    errors
        Of the prediction.
    """
    values = [_on_panel(study, pair, genes) for pair in study.pairs]
    shown = [array for found in values for array in (found.truth, found.predicted)]
    widths = [found.width for found in values if found.width is not None]
    scale = {"value": scales(*shown), "width": scales(*widths) if widths else np.zeros((len(genes), 2))}
    blobs: dict[str, str] = {}
    sections = [
        _section(study, pair, found, scale=scale, blobs=blobs, domains=domains)
        for pair, found in zip(study.pairs, values, strict=True)
    ]
    for described in sections:
        described["error"] = [number(float(value)) for value in errors.by_spot[described["id"]]]
    off = robust_limits(np.concatenate([*errors.by_spot.values()]))
    data = {
        "title": study.title,
        "method": study.method,
        "unit": expression_unit(study.pairs[0].space),
        "genes": list(genes),
        "rank": rank_rows(study, genes),
        "first": 0,
        "level": LEVEL,
        "scale": {name: _plain(ends) for name, ends in scale.items()},
        "limits": {**_limits(values, widths), "error": [number(end) for end in off]},
        "colours": {
            "value": _colours(EXPRESSION),
            "difference": _colours(DIFFERENCE),
            "width": _colours(WIDTHS),
            "error": _colours(ERRORS),
            "missing": MISSING,
            "domains": colours_of(domains),
        },
        "sections": sections,
    }
    return Payload(data, blobs)


def rank_rows(study: Study, genes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the genes' rows of the ranking as plain JSON."""
    table = study.ranking.loc[list(genes)]
    of_section = {pair.id: study.pcc_of(pair.id).loc[list(genes)].to_numpy() for pair in study.pairs}
    return [
        {
            "gene": str(gene),
            "verdict": str(row["verdict"]),
            "why": str(row["why"]),
            **{name: number(row[name]) for name in ("pcc", "ceiling", "share", "q", "score")},
            "sections": {name: number(pcc[place]) for name, pcc in of_section.items()},
        }
        for place, (gene, row) in enumerate(table.iterrows())
    ]


def number(value: float) -> float | None:
    """Return what JSON takes: six digits, None for what is no number; infinity as the largest double."""
    if math.isnan(value):
        return None
    return float(f"{value:.6g}") if math.isfinite(value) else math.copysign(1e308, value)


def _on_panel(study: Study, pair: Pair, genes: Sequence[str]) -> _Values:
    at = pd.Index(pair.genes).get_indexer(pd.Index(genes))
    width = study.widths.get(pair.id)
    return _Values(_columns(pair.truth, at), _columns(pair.guess, at), None if width is None else _columns(width, at))


def _columns(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.where(at >= 0, values[:, at], np.float32(np.nan))


def _section(
    study: Study,
    pair: Pair,
    values: _Values,
    *,
    scale: dict[str, np.ndarray],
    blobs: dict[str, str],
    domains: DomainsOfAll,
) -> dict[str, Any]:
    n = sum(name.startswith("xy-") for name in blobs)
    section, picture = pair.section, take_thumbnail(pair.section)
    blobs[f"xy-{n}"] = pack(picture.xy)
    blobs[f"truth-{n}"] = pack(quantise(values.truth, scale["value"]))
    blobs[f"predicted-{n}"] = pack(quantise(values.predicted, scale["value"]))
    if values.width is not None:
        blobs[f"width-{n}"] = pack(quantise(values.width, scale["width"]))
    shape, size_um = spot_shape(section)
    described = {
        "id": section.id,
        "patient": section.patient,
        "n_spots": len(section),
        "names": [str(name) for name in section.tiles.ids],
        "mean_pcc": number(float(study.pcc_of(section.id).mean())),
        "spot": {"shape": shape, "size_px": number(size_um / picture.um_per_px)},
        "image": picture.describe(),
        "xy": f"xy-{n}",
        "truth": f"truth-{n}",
        "predicted": f"predicted-{n}",
        "width": None if values.width is None else f"width-{n}",
        "depth": np.asarray(section.counts.X.sum(axis=1)).ravel().astype(int).tolist(),
    }
    found = domains.by_section.get(section.id)
    if found is not None:
        named = {"truth": found.truth, "predicted": found.predicted, "labels": found.labels}
        described["domains"] = {name: _names(series) for name, series in named.items() if series is not None}
    return described


def _names(series: pd.Series) -> list[str | None]:
    return [None if pd.isna(name) else str(name) for name in series]


def _limits(values: Sequence[_Values], widths: Sequence[np.ndarray]) -> dict[str, Any]:
    shown = np.concatenate([array for found in values for array in (found.truth, found.predicted)])
    off = np.concatenate([found.predicted - found.truth for found in values])
    known = np.concatenate(widths) if widths else np.full((1, shown.shape[1]), np.nan)
    return {
        "value": _plain([_robust(column) for column in shown.T]),
        "difference": [number(max(map(abs, robust_limits(column)))) for column in off.T],
        "width": _plain([_robust(column) for column in known.T]),
    }


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return robust limits; of a gene that is the same nearly everywhere, the whole range."""
    known = values[np.isfinite(values)]
    if len(known) and np.ptp(known) > np.ptp(np.quantile(known, [0.01, 0.99])) == 0:
        return float(known.min()), float(known.max())
    return robust_limits(known)


def _plain(ends: Iterable[Iterable[float]]) -> list[list[float | None]]:
    return [[number(float(end)) for end in pair] for pair in ends]


def _colours(name: str) -> list[str]:
    return [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, 256))]
