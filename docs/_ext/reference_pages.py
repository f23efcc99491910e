"""The reference, from docstrings: a directive for all public modules of a package."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

import mclstexp

_LITERAL = re.compile(r"(``.+?``)")
_TYPE = ":type: "


class PackageModules(SphinxDirective):
    """``.. package-modules:: mclstexp.analysis``: a heading and its public members for each public module.

    A module that is added is on the page; nothing has to be listed. What `mclstexp` itself offers stands there alone.
    """

    required_arguments = 1
    option_spec = {"except": str.split}  # noqa: RUF012  docutils wants a plain attribute

    def run(self) -> list[nodes.Node]:
        """Write reStructuredText for the modules, and parse it."""
        lines = StringList()
        for name in _modules(self.arguments[0], skip=self.options.get("except", [])):
            for line in _text(name):
                lines.append(line, "package-modules")
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, lines, node)
        return node.children


def _modules(package: str, *, skip: list[str]) -> Iterator[str]:
    home = importlib.import_module(package)
    for module in pkgutil.iter_modules(home.__path__):
        if not module.name.startswith("_") and module.name not in skip:
            yield f"{package}.{module.name}"


def _text(name: str) -> Iterator[str]:
    title = name.removeprefix("mclstexp.")
    module = importlib.import_module(name)
    elsewhere = [public for public in mclstexp.__all__ if public in vars(module)]
    yield from (title, "-" * len(title), "", f".. automodule:: {name}", "   :members:", "   :show-inheritance:")
    yield from (f"   :exclude-members: {', '.join(elsewhere)}", "") if elsewhere else ("",)


def as_prose(_app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Escape what reads as prose and is markup: |x| names a substitution, and letters may not follow a literal."""
    for n, line in enumerate(lines):
        parts = _LITERAL.split(line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[n] = re.sub(r"(``.+?``)(?=\w)", r"\1\\ ", "".join(parts))


def as_sentence(_app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Put together again what napoleon took apart: before a colon in a field's first line it looks for a type."""
    if what not in ("attribute", "data", "property") or not lines:
        return
    before = next((line for line in lines if line.startswith(_TYPE)), None)
    if before is not None:
        lines.remove(before)
        lines[0] = f"{before.removeprefix(_TYPE)}: {lines[0]}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive and the reading of docstrings."""
    app.connect("autodoc-process-docstring", as_sentence, priority=600)  # after napoleon, whose is the usual 500
    app.connect("autodoc-process-docstring", as_prose, priority=700)
    app.add_directive("package-modules", PackageModules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
