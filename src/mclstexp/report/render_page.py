"""Text, data and scripts put into one file that asks for nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from mclstexp.core.wording import without_marks
from mclstexp.report.page_payload import Payload
from mclstexp.report.page_text import percent, signed_genes

_ASSETS: Final = ("report.css", "report.js", "explorer.html", "genes.html", "licences.txt")


def render_page(payload: Payload, parts: Mapping[str, Any], *, template: str = "report.html.j2") -> str:
    """Return the page.

    Parameters
    ----------
    payload
        What the scripts read.
    parts
        What the template shows; escaped there.
    template
        Its file.
    """
    package = files("mclstexp.report")
    assets = package / "page_assets"
    css, script, explorer, gene_table, licences = ((assets / name).read_text(encoding="utf-8") for name in _ASSETS)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {"fixed": _fixed, "percent": _percent, "genes": signed_genes}
    text = (package / "page" / template).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        policy=policy(script, css),
        css=css,
        script=script,
        explorer=explorer,
        gene_table=gene_table,
        licences=licences,
        data=as_json(payload.data),
        blobs=payload.blobs,
        **parts,
    )


def today() -> str:
    """Return the day that a page says it was made on."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def policy(script: str, css: str) -> str:
    """Return a content security policy that lets in this very script and style, pictures inside the page, no more."""
    return (
        f"default-src 'none'; script-src '{_sha256(script)}'; style-src '{_sha256(css)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def as_json(value: Any) -> str:
    """Return JSON that may stand inside a script element: no "<" can end it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return without_marks(text, escape="\\\\u")


def _shown(value: Any) -> Any:
    """Write out what would turn or hide letters of a name, be it a gene's, a section's or a method's."""
    return without_marks(value) if type(value) is str else value


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _fixed(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "\u2212") if math.isfinite(value) else "\u2013"


def _percent(value: float) -> str:
    return percent(value) if math.isfinite(value) else "\u2013"
