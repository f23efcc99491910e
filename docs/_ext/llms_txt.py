"""The site's llms.txt: what a program that reads the docs should know of each page.

The format is that of llmstxt.org: a title, a sentence, and lists of links. Titles and first sentences are the pages'
own, the order is that of the toctrees.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ABOUT = """# mclstexp

> Predict spatial gene expression from H&E images, judge the prediction honestly, apply it to whole slides. A Python
> package and a command; research use only. One protocol for all methods: everything learnt is learnt on training
> sections.

Scores stand beside controls and a noise ceiling; maps of genes without a verdict are not to be read. Commands explain
themselves: `mclstexp --help`, `mclstexp list METHOD`, `mclstexp doctor`.
"""
TREE = re.compile(r"^```\{toctree\}\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^(`{3,}|:{3,}).*?^\1`*:*$", re.DOTALL | re.MULTILINE)


def entry(page: Path) -> str:
    """One line of a page: its title as a link, and its first sentence."""
    text = page.read_text(encoding="utf-8")
    if text.startswith("---\n"):
        text = text.split("---\n", 2)[2]
    title = re.search(r"^# (.*)$", text, re.MULTILINE)
    assert title is not None, page
    rest = FENCED.sub("", text[title.end() :]).replace("**Context.** ", "")
    paragraphs = (part.strip() for part in rest.split("\n\n"))
    first = next((part for part in paragraphs if part and part[0] not in "#|!<-("), "")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(first.split())).replace("**", "")
    sentence = re.match(r".*?[.:?!](?=\s|$)", plain)
    said = (sentence.group() if sentence else plain).rstrip(":")
    link = page.relative_to(DOCS).with_suffix(".html").as_posix()
    return f"- [{title.group(1)}]({link})" + (f": {said}" if said else "")


def listed(page: Path) -> list[tuple[str, list[Path]]]:
    """Captions of a page's toctrees, and the pages that each names, with those these name in turn."""
    found = []
    for tree in TREE.finditer(page.read_text(encoding="utf-8")):
        options, names = {}, []
        for line in tree["body"].splitlines():
            if line.startswith(":"):
                name, _, value = line[1:].partition(":")
                options[name] = value.strip()
            elif line.strip():
                names.append(line.strip())
        pages = [found for name in names for found in sorted(page.parent.glob(f"{name}.md"))]
        below = [deep for one in pages for _, deeper in listed(one) for deep in deeper]
        found.append((options.get("caption", ""), [*pages, *below]))
    return found


def text() -> str:
    """Return the file's content."""
    parts = [ABOUT]
    for caption, pages in listed(DOCS / "index.md"):
        parts.append(f"## {caption}\n\n" + "\n".join(map(entry, pages)) + "\n")
    return "\n".join(parts)


def write(app: Sphinx, failed: Exception | None) -> None:
    """Put the file at the site's root."""
    if failed is None and app.builder.format == "html":
        (Path(app.outdir) / "llms.txt").write_text(text(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the file when the site is built."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
