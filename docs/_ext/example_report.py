"""The report of the demo at the site's root, `example_report.html`: a page to try, made anew with each site."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def write(app: Sphinx, failed: Exception | None) -> None:
    """Run the demo and take its page; a site that has one keeps it (`make clean` takes it away)."""
    target = Path(app.outdir) / "example_report.html"
    if failed is not None or app.builder.format != "html" or not app.config.example_report or target.exists():
        return
    from mclstexp.demo import run_demo  # noqa: PLC0415  it takes seconds

    with tempfile.TemporaryDirectory() as folder:
        run_demo(Path(folder) / "demo", quick=app.config.example_report == "quick")
        shutil.copyfile(Path(folder) / "demo" / "report.html", target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the page when the site is built; `-D example_report=quick` makes a small one, an empty value none."""
    app.add_config_value("example_report", "demo", "", types=[str])
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
