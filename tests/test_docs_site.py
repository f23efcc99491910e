"""The site: every page can be reached, what it links to is there, its code is Python; slow: it builds unwarned."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
TUTORIALS = [page for page in PAGES if page.parent.name == "tutorials"]
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*(.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def listed(page: Path) -> set[Path]:
    """Pages that the toctrees of a page name."""
    found = set()
    for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE):
        for entry in tree.split():
            if not entry.startswith(":"):
                found |= set(page.parent.glob(f"{entry}.md"))
    return found


def test_every_page_is_reached_from_the_first():
    reached, ahead = set(), {DOCS / "index.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= listed(page) - reached
    assert [str(page.relative_to(DOCS)) for page in PAGES if page not in reached] == []


def test_every_entry_of_a_toctree_is_a_page():
    for page in PAGES:
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE):
            entries = [entry for entry in tree.split("\n") if entry and not entry.startswith(":")]
            assert [entry for entry in entries if not list(page.parent.glob(f"{entry}.md"))] == [], page


def anchors(page: Path) -> set[str]:
    """Names of headings as myst makes them."""
    heads = re.findall(r"^#{1,3} (.*)$", FENCED.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_and_pictures_are_there(page):
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", FENCED.sub("", text(page))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def code_of(page: Path) -> list[ast.Module]:
    """The cells of a tutorial, and the Python files it writes; other files are none of ours."""
    cells = [cell.partition("\n") for cell in CELL.findall(text(page))]
    assert cells
    return [
        ast.parse(
            re.sub(r"^%\w.*$", "", "".join(cell), flags=re.MULTILINE) if not cell[0].startswith("%%") else cell[2]
        )
        for cell in cells
        if not cell[0].startswith("%%") or cell[0].endswith(".py")
    ]


def names_in(module: str) -> str:
    """The source of a module, and for a package the names of its modules too."""
    home = ROOT / "src" / Path(*module.split("."))
    if home.with_suffix(".py").is_file():
        return text(home.with_suffix(".py"))
    return " ".join([text(home / "__init__.py"), *(path.stem for path in home.iterdir())])


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_code_is_python_and_what_it_imports_is_there(page):
    for tree in code_of(page):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mclstexp"):
                source = names_in(node.module)
                missing = [name.name for name in node.names if not re.search(rf"\b{name.name}\b", source)]
                assert (node.module, missing) == (node.module, [])
                assert not any(name.name.startswith("_") for name in node.names)


def test_tutorials_that_need_data_say_so_to_the_build():
    conf = text(DOCS / "conf.py")
    named = set(ast.literal_eval(re.search(r"^NEEDS_DATA = (\(.*?\))", conf, re.MULTILINE).group(1)))
    assert {page.stem for page in TUTORIALS if "MCLSTEXP_DATA" in text(page)} == named


def test_what_the_package_offers_stands_on_its_page():
    """Modules' pages leave it out, so that it stands once."""
    import mclstexp

    page = text(DOCS / "reference" / "mclstexp.md")
    others = {"__version__", "analysis", "pl", "plotting"}
    offered = sorted(set(mclstexp.__all__) - others)
    assert [name for name in offered if not re.search(rf"mclstexp\.{name}\b", page)] == []


def test_llms_txt_names_every_page():
    spec = importlib.util.spec_from_file_location("llms_txt", DOCS / "_ext" / "llms_txt.py")
    llms_txt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(llms_txt)
    named = re.findall(r"^- \[.+\]\(([\w/-]+)\.html\)", llms_txt.text(), re.MULTILINE)
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    assert sorted(named) == sorted(pages - {"index"})


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_nobody(tmp_path):
    pytest.importorskip("myst_nb")
    environment = {name: value for name, value in os.environ.items() if name != "MCLSTEXP_DATA"}
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "doctrees")]
    # pages are executed by `make docs`; here the rest of the build is what is tested
    docs = shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    done = subprocess.run(
        [*command, "-D", "nb_execution_mode=off", "-D", "example_report=quick", str(docs), str(tmp_path / "html")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    asked = re.compile(
        r"<(?:script|img|iframe)[^>]*\ssrc=\"https?:|<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*https?:"
    )
    assert "Research use only" in (tmp_path / "html" / "example_report.html").read_text(encoding="utf-8")
    assert "(trust.html)" in (tmp_path / "html" / "llms.txt").read_text(encoding="utf-8")
    pages = list((tmp_path / "html").rglob("*.html"))
    assert len(pages) > 30
    assert [page.name for page in pages if asked.search(page.read_text(encoding="utf-8"))] == []
    sheets = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "html/_static").rglob("*.css"))
    assert not re.findall(r"url\([\"']?https?:|@import[^;]*https?:", sheets)
