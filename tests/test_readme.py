"""What the README shows works: its Python runs, its commands and files exist."""

import re
from pathlib import Path

import pytest

import mclstexp
from mclstexp.cli import run
from mclstexp.methods import create
from small_methods import small_methods, small_sections

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_runs(monkeypatch, capsys):
    small = {method.name: method.options for method in reversed(small_methods())}
    sections = small_sections()
    monkeypatch.setattr(mclstexp, "read_sections", lambda path: sections[:2] if path == "DATA" else sections[2:])
    monkeypatch.setattr(mclstexp, "create", lambda name, **_: create(name, **small[name]))
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        if "squidpy" in block:  # see tests/whole_slide/test_opening.py
            continue
        exec(compile(block, "README.md", "exec"), names)
    assert names["adata"].n_obs == len(sections[2])
    assert "mclstexp" in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\$ mclstexp (\S+)", README, re.MULTILINE))))
def test_the_commands_exist(command, capsys):
    assert run([command, "--help"]) == 0
    assert f"mclstexp {command}" in capsys.readouterr().out


def test_what_it_links_to_is_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert [name for name in re.findall(r"configs/\S+\.toml", README) if not (ROOT / name).is_file()] == []


def test_version_stands_alike_in_package_citation_and_changelog():
    said = f"version: {mclstexp.__version__}\n"
    assert said in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[:2] == ["Unreleased", mclstexp.__version__]


def test_make_has_the_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        if target in ("demo", "test", "lint", "install", "bench"):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
