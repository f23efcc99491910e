"""What the pages of docs say of methods and link to is there."""

import re
from pathlib import Path

import pytest

from mclstexp.evaluation.metrics import GENE_METRICS
from mclstexp.evaluation.structure import SECTION_METRICS
from mclstexp.methods import list_methods

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_every_method_has_a_row_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "methods.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(list_methods())


def test_every_metric_is_described():
    protocol = (DOCS / "protocol.md").read_text(encoding="utf-8")
    assert [name for name in (*GENE_METRICS, *SECTION_METRICS) if f"`{name}`" not in protocol] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
