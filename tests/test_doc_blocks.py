"""Every code block of README and docs: somebody runs it, its commands exist, its Python compiles; slow: it is run."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from doc_blocks import ELSEWHERE, NOT_RUN, PAGES, ROOT, RUN, blocks, pages_to_run, why_not

EVERY = [block for page in PAGES for block in blocks(page)]


def test_no_block_escapes():
    for page in PAGES:
        fences = re.findall(r"^ *[`~]{3,}", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), page
    assert {block.where: block.language for block in EVERY if block.language not in {*RUN, *ELSEWHERE}} == {}
    # the tutorials' cells are run where the site is built, all of them
    assert 'nb_execution_mode = "force"' in (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert "nb_execution_raise_on_error = True" in (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")


def test_reasons_not_to_run_are_of_blocks_that_are_there():
    met = {start for block in EVERY for start in block.not_run()}
    assert sorted(set(NOT_RUN) - met) == []


def typed():
    """Commands of this package, wherever they stand in a line, with the page and line they stand at."""
    for block in EVERY:
        if block.language in ("console", "bash"):
            for words in block.commands():
                inner = [word for word in words if word.startswith("mclstexp ")]  # within a scheduler's command
                yield block.where, inner[0].split() if inner else words


def test_commands_are_known_with_their_flags():
    from mclstexp.cli.application import app
    from mclstexp.core.doors import through

    n_parsed = 0
    for where, words in typed():
        if words[0] == "mclstexp":
            try:
                with through("command"):
                    app.parse_args(words[1:], exit_on_error=False, print_error=False)
            except Exception as error:
                raise AssertionError(f"{where}: {' '.join(words)}: {error}") from error
            n_parsed += 1
        elif words[0] == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            assert {word for word in words[1:] if "=" not in word} <= set(targets), where
        elif words[0] == "python" and words[1] != "-m":
            assert (ROOT / words[1]).is_file(), where
        elif words[:2] == ["python", "-m"]:
            assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file(), where
        else:
            assert why_not(words), where
    assert n_parsed > 50


def test_no_command_is_refused_for_what_another_of_its_page_wrote():
    for page in PAGES:
        taken = [
            (words[1], words[words.index("--out") + 1])
            for block in blocks(page)
            if block.language in ("console", "bash")
            for words in block.commands()
            if words[0] == "mclstexp" and "--out" in words and "--overwrite" not in words
        ]
        assert len({place for _, place in taken}) == len(taken), (page, taken)


def test_python_compiles_and_what_it_imports_of_ours_is_there():
    trees = {block.where: ast.parse(block.text) for block in EVERY if block.language == "python"}
    assert len(trees) > 20
    for where, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mclstexp":
                assert [name.name for name in node.names if not stands_in(node.module, name.name)] == [], where


def stands_in(module: str, name: str) -> bool:
    """Whether a module's source has a name, or a package a module of it; read, for imports take seconds."""
    home = ROOT / "src" / Path(*module.split("."))
    source = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
    return (home / f"{name}.py").is_file() or re.search(rf"\b{name}\b", source.read_text(encoding="utf-8")) is not None


def test_toml_is_toml():
    assert all(tomllib.loads(block.text) for block in EVERY if block.language == "toml")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from doc_world import make_world  # it takes seconds to import

    return make_world(tmp_path_factory.mktemp("world") / "world")


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_to_run(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_runs_from_its_first_block_to_its_last(page, world, tmp_path):
    folder = shutil.copytree(world, tmp_path / "here", symlinks=True)
    command = [sys.executable, str(ROOT / "tests" / "run_page.py"), str(page)]
    environment = os.environ | {"MCLSTEXP_CACHE": str(world.parent / "cache")}  # pages look at the same tissue
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    runnable = [b for b in blocks(page) if b.language in RUN]
    assert [
        b.where for b in runnable if b.where not in told["run"] and not b.not_run() and b.where not in told["lacking"]
    ] == []
