"""One page of an answer: genes nobody measured, places between spots, or regions, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_writable
from mclstexp.plotting.domains import domain_colours, match_domains
from mclstexp.plotting.maps import robust_limits
from mclstexp.plotting.style import DIFFERENCE, EXPRESSION, MISSING
from mclstexp.report.answer import Answer, beside, facts_of
from mclstexp.report.page_arrays import pack, quantise, scales
from mclstexp.report.page_methods import about
from mclstexp.report.page_payload import Payload, colours, number
from mclstexp.report.page_thumbnail import spot_shape, take_thumbnail
from mclstexp.report.render_page import render_page, today

_MB: Final = 1e6
_TITLES: Final = {"impute": "Genes nobody measured", "enhance": "Between the spots", "domains": "Regions"}
_ROOMS: Final = {"impute": "imputation", "enhance": "enhancement", "domains": "domains"}
_LEADS: Final = {
    "impute": "Imputed maps beside the measured ones. A gene that nobody measured here has no truth: its map is made "
    "of genes that it goes along with in the reference.",
    "enhance": "A finer lattice beside the measured spots that it was made of. Nothing finer than the spots is in it.",
    "domains": "Domains beside measured genes, and beside labels where a person gave some. No method saw a label.",
}
_VIEWS: Final = {"impute": ["truth", "predicted"], "enhance": ["truth", "predicted"], "domains": ["domains-predicted"]}
_SAID: Final = {"impute": "Imputed", "enhance": "Enhanced"}
"""What stands for "prediction" where a question's values have a name of their own."""


@dataclass(frozen=True)
class Table:
    """Methods compared, where the answers are of a comparison."""

    heading: list[str]
    """Names of the columns."""
    rows: list[list[str]]
    """Best first."""
    sentences: list[str]
    """What a reader must know beside the numbers."""
    title: str
    """What was asked."""


def write_answer_page(
    pairs: Sequence[tuple[Section, AnnData]],
    out: Path | str,
    *,
    n_genes: int | None = None,
    max_mb: float = 30.0,
    table: Table | None = None,
) -> Path:
    """Write a page that opens by double click: answers beside measured sections, gene by gene.

    Parameters
    ----------
    pairs
        Sections, and what one method of `impute`, `enhance` or `find_domains` returned of each.
    out
        The page (.html).
    n_genes
        How many of the first genes; as many as fit by default.
    max_mb
        Size in MB (10⁶ bytes) that the page must not exceed.

    table
        The methods that it was compared with.

    Raises
    ------
    InputError
        As `beside`; if nothing fits into the size, or the place cannot be written to.
    """
    out = Path(out)
    if out.is_dir():
        msg = f"a file name for the page expected, found the folder {out}: give {out / 'report.html'}"
        raise InputError(msg)
    require_writable(out.parent)
    answers, said = [beside(section, said) for section, said in pairs], pairs[0][1]
    genes = list(dict.fromkeys(gene for answer in answers for gene in answer.genes))
    kept = len(genes) if n_genes is None else min(n_genes, len(genes))
    while True:
        parts = {
            **_parts(said),
            "made": today(),
            "kept": kept,
            "n_genes": len(genes),
            "table": table,
        }
        payload = _payload(answers, said, genes[:kept])
        page = render_page(payload, parts, template="answer.html.j2").encode("utf-8")
        if len(page) <= max_mb * _MB:
            break
        if kept <= 1:
            msg = f"a size that one gene fits into expected, found max_mb = {max_mb:g}: allow more"
            raise InputError(msg)
        kept = max(1, min(kept - 1, int(0.9 * kept * max_mb * _MB / len(page))))
    with atomic_path(out) as path:
        path.write_bytes(page)
    return out


def _question(said: AnnData) -> str:
    return str(said.uns[keys.PROVENANCE]["question"])


def _parts(said: AnnData) -> dict[str, Any]:
    question, method = _question(said), str(said.uns[keys.PROVENANCE]["method"])
    return {
        "title": _TITLES[question],
        "lead": _LEADS[question],
        "method": method,
        "about": about(method, question=_ROOMS[question]),
        "facts": facts_of(said),
    }


def _payload(answers: Sequence[Answer], first: AnnData, genes: Sequence[str]) -> Payload:
    question, method = _question(first), str(first.uns[keys.PROVENANCE]["method"])
    found = [(_on(answer, answer.truth, genes), _on(answer, answer.said, genes)) for answer in answers]
    scale = scales(*(values for both in found for values in both))
    known = np.concatenate([values for both in found for values in both])
    off = np.concatenate([said - truth for truth, said in found])
    blobs: dict[str, str] = {}
    sections = []
    for n, (answer, (truth, said)) in enumerate(zip(answers, found, strict=True)):
        sections.append(_section(answer, n, blobs))
        blobs |= {f"truth-{n}": pack(quantise(truth, scale)), f"predicted-{n}": pack(quantise(said, scale))}
    labelled = any("labels" in answer.domains for answer in answers)
    data = {
        "title": answers[0].section.id,
        "method": method,
        "titles": _titles(question),
        "unit": answers[0].unit,
        "genes": list(genes),
        "rank": [_row(answers, gene) for gene in genes],
        "first": 0,
        "level": 0,
        "views": list(dict.fromkeys([*_VIEWS[question], *["domains-labels"][:labelled], "truth", "image"]))[:3],
        "scale": {"value": _plain(scale), "width": [[0.0, 0.0]] * len(genes)},
        "limits": {
            "value": _plain(np.array([_robust(values) for values in known.T])),
            "difference": [number(max(map(abs, _robust(values)))) for values in off.T],
            "width": [[0.0, 1.0]] * len(genes),
            "error": [0.0, 1.0],
        },
        "colours": {
            "value": colours(EXPRESSION),
            "width": colours(EXPRESSION),
            "error": colours(EXPRESSION),
            "difference": colours(DIFFERENCE),
            "missing": MISSING,
            "domains": _colours_of_domains(answers),
        },
        "sections": sections,
    }
    return Payload(data, blobs)


def _titles(question: str) -> dict[str, str]:
    """Return what the explorer calls the maps of an answer: nobody predicted them from an image."""
    if question not in _SAID:
        return {"truth": "Measured", "domains-predicted": "Domain"}
    said = _SAID[question]
    of = {"predicted": said, "pattern": f"{said}, own scale", "difference": f"{said} less measured"}
    return {"truth": "Measured", **of}


def _colours_of_domains(answers: Sequence[Answer]) -> dict[str, str]:
    """Return the colour of every label and domain; a domain has that of the label it is most like, where there are."""
    every = {name for one in answers for each in one.domains.values() for name in each if name is not None}
    labels = {name for one in answers for name in one.domains.get("labels", []) if name is not None}
    like: dict[str, str] = {}
    for one in answers:
        if "labels" in one.domains:
            told = pd.Series(one.domains["labels"], dtype=object)
            for names in one.domains.values():
                found = match_domains(pd.Series(names, dtype=object), told)
                like = {domain: label for domain, label in found.items() if domain not in labels} | like
    palette = domain_colours(sorted(every - set(like)))
    return palette | {domain: palette[label] for domain, label in like.items()}


def _on(answer: Answer, values: Float[np.ndarray, "n m"], genes: Sequence[str]) -> Float[np.ndarray, "n k"]:
    at = pd.Index(answer.genes).get_indexer(pd.Index(list(genes)))
    return np.where(at >= 0, values[:, at], np.nan)


def _robust(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return robust_limits(known) if len(known) else (0.0, 1.0)


def _section(answer: Answer, n: int, blobs: dict[str, str]) -> dict[str, Any]:
    section = answer.section
    picture, (shape, size_um) = take_thumbnail(section), spot_shape(section)
    blobs[f"xy-{n}"] = pack(picture.xy)
    return {
        "id": section.id,
        "patient": section.patient,
        "n_spots": len(section),
        "names": [str(name) for name in section.tiles.ids],
        "mean_pcc": None,
        "spot": {"shape": shape, "size_px": number(size_um / picture.um_per_px)},
        "image": picture.describe(),
        **{name: f"{name}-{n}" for name in ("xy", "truth", "predicted")},
        "width": None,
        "depth": np.asarray(section.counts.X.sum(axis=1)).ravel().astype(int).tolist(),
        **({"domains": dict(answer.domains)} if answer.domains else {}),
    }


def _row(answers: Sequence[Answer], gene: str) -> dict[str, Any]:
    at = {answer.section.id: (answer, answer.genes.index(gene)) for answer in answers if gene in answer.genes}
    of = {name: number(float(answer.pcc[place])) for name, (answer, place) in at.items()}
    answer, place = next(iter(at.values()))
    nothing = dict.fromkeys(("given_depth", "ceiling_given_depth", "share", "q", "score"))
    pcc = next(iter(of.values())) if len(of) == 1 else None
    return {"gene": gene, "verdict": "not judged", "why": answer.why[place], "pcc": pcc, **nothing, "sections": of}


def _plain(ends: np.ndarray) -> list[list[float | None]]:
    return [[number(float(end)) for end in pair] for pair in ends]
