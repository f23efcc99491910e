"""The data of the page: one JSON object and, apart from it, one compact array after another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from mclstexp.evaluation.calibration import LEVEL
from mclstexp.plotting.maps import expression_unit, robust_limits
from mclstexp.plotting.style import DIFFERENCE, EXPRESSION, MISSING
from mclstexp.report.page_arrays import pack
from mclstexp.report.page_domains import DomainsOfAll, colours_of
from mclstexp.report.page_errors import Errors
from mclstexp.report.page_study import Study
from mclstexp.report.page_text import spelt_out
from mclstexp.report.page_thumbnail import spot_shape, take_thumbnail
from mclstexp.report.page_values import CodedMaps, code_maps

WIDTHS: Final = "magma"
"""Colour map of interval widths."""
ERRORS: Final = "YlOrRd"
"""Colour map of relative errors over all genes."""

_NUMBERS: Final = ("pcc", "given_depth", "ceiling_given_depth", "share", "q", "score")  # of a row of the ranking


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
    maps = code_maps(study, genes)
    blobs: dict[str, str] = {}
    sections = [_section(study, n, maps, blobs=blobs, domains=domains) for n in range(len(study.pairs))]
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
        "scale": {name: _plain(ends) for name, ends in maps.scale.items()},
        "limits": {
            "value": _plain(maps.limits["value"]),
            "difference": [number(float(end)) for end in maps.limits["difference"]],
            "width": _plain(maps.limits["width"]),
            "error": [number(end) for end in off],
        },
        "colours": {
            "value": colours(EXPRESSION),
            "difference": colours(DIFFERENCE),
            "width": colours(WIDTHS),
            "error": colours(ERRORS),
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
            "why": spelt_out(str(row["why"])),
            **{name: number(row[name]) for name in _NUMBERS},
            "sections": {name: number(pcc[place]) for name, pcc in of_section.items()},
        }
        for place, (gene, row) in enumerate(table.iterrows())
    ]


def number(value: float) -> float | None:
    """Return what JSON takes: six digits, None for what is no number; infinity as the largest double."""
    if math.isnan(value):
        return None
    return float(f"{value:.6g}") if math.isfinite(value) else math.copysign(1e308, value)


def _section(study: Study, n: int, maps: CodedMaps, *, blobs: dict[str, str], domains: DomainsOfAll) -> dict[str, Any]:
    """Describe the section number `n`, and put its arrays into `blobs`."""
    section, width = study.pairs[n].section, maps.width[n]
    picture = take_thumbnail(section)
    blobs[f"xy-{n}"] = pack(picture.xy)
    blobs[f"truth-{n}"] = pack(maps.truth[n])
    blobs[f"predicted-{n}"] = pack(maps.predicted[n])
    if width is not None:
        blobs[f"width-{n}"] = pack(width)
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
        "width": None if width is None else f"width-{n}",
        "depth": np.asarray(section.counts.X.sum(axis=1)).ravel().astype(int).tolist(),
    }
    found = domains.by_section.get(section.id)
    if found is not None:
        named = {"truth": found.truth, "predicted": found.predicted, "labels": found.labels}
        described["domains"] = {name: _names(series) for name, series in named.items() if series is not None}
    return described


def _names(series: pd.Series) -> list[str | None]:
    return [None if pd.isna(name) else str(name) for name in series]


def _plain(ends: Iterable[Iterable[float]]) -> list[list[float | None]]:
    return [[number(float(end)) for end in pair] for pair in ends]


def colours(name: str) -> list[str]:
    """Return the 256 colours of a colour map."""
    return [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, 256))]
