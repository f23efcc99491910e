"""`report`: one page that says which genes to trust, where the prediction fails, and how it was made."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from mclstexp.io.atomic import atomic_path
from mclstexp.report.page_domains import domains_of_all
from mclstexp.report.page_payload import Payload, make_payload
from mclstexp.report.page_study import read_study

_ASSETS: Final = ("report.css", "report.js", "explorer.html", "genes.html", "licences.txt")


def write_report(
    results: Path | str,
    out: Path | str,
    *,
    method: str | None = None,
    data: Path | str | None = None,
) -> Path:
    """Write the page."""
    study = read_study(results, method, data=data)
    genes = [str(gene) for gene in study.ranking.index]
    payload = make_payload(study, domains_of_all(study.pairs), genes=genes)
    page = render_page(payload)
    with atomic_path(out) as path:
        path.write_text(page, encoding="utf-8")
    return Path(out)


def render_page(payload: Payload, **parts: Any) -> str:
    """Put text, data and scripts into one page that asks for nothing from outside.

    Parameters
    ----------
    payload
        What the scripts read.
    parts
        What the template shows.
    """
    package = files("mclstexp.report")
    assets = package / "page_assets"
    css, script, explorer, gene_table, licences = ((assets / name).read_text(encoding="utf-8") for name in _ASSETS)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((package / "page" / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        policy=policy(script, css),
        css=css,
        script=script,
        explorer=explorer,
        gene_table=gene_table,
        licences=licences,
        data=as_json(payload.data),
        blobs=payload.blobs,
        title=payload.data["title"],
        **parts,
    )


def policy(script: str, style: str) -> str:
    """Return a content security policy that lets in this very script and style, pictures inside the page, no more."""
    return (
        f"default-src 'none'; script-src '{_sha256(script)}'; style-src '{_sha256(style)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def as_json(value: Any) -> str:
    """Return JSON that may stand inside a script element: no "<" can end it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
