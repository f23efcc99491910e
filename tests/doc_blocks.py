"""The code blocks of README and docs, as data: where each stands, what it holds, and which are not run here and why."""

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SUPPORT.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)[ \t]*$", re.DOTALL | re.MULTILINE)
SETTING = re.compile(r"^[A-Z_]+=\S* ")
"""A variable before a command."""
PROMPT = re.compile(r"^(?:\w+)?\$ ")

NOT_RUN = {
    "make ": "targets of the Makefile: the tests, the demo, the site themselves; that they are there is tested",
    "git clone": "the repository's own address",
    "source ": "a shell's environment",
    "pip install": "`make wheel-test` installs the package into an environment that has nothing else",
    "conda ": "conda is not on every machine",
    "docker ": "Docker is not on every machine",
    "ssh ": "another machine",
    "sbatch ": "a cluster",
    "python tools/test_elsewhere.py": "hours, and other Pythons",
    "python -m fuzz.kill": "tests/test_kill.py and tests/test_fuzz.py run a few of them",
    "python -m fuzz.full_disk": "root, who may mount a small disk",
    "mclstexp cohort features": "a slide for each of eighty patients; tests/cohort embeds a few",
    "mclstexp cohort expression": "predictions of those slides; tests/cohort/test_bridge.py makes some",
    "mclstexp-genomics ": "a distribution of its own, with tests of its own",
    "import napari": "a window, and a package that no extra brings",
    "import spatialdata_plot": "a package that no extra brings",
}
"""Beginnings of commands, and lines of Python, that keep a command or a block from being run; and why."""

IN_PARTS = (
    "README.md",
    "docs/analysis.md",
    "docs/cohort.md",
    "docs/figures.md",
    "docs/generate.md",
    "docs/report.md",
    "docs/trust.md",
    "docs/tutorials/comparing.md",
)
"""Pages that were not yet seen to run from first to last: their commands are parsed, their Python is compiled."""

ELSEWHERE = {
    "{toctree}": "the site's build",
    "{eval-rst}": "the site's build",
    "{code-cell}": "the site's build: `make docs` runs every tutorial",
    "r": "Seurat, which is no part of Python: what it reads is tested in tests/io",
    "text": "shown, not typed: what a command prints, or a file",
}
"""Languages of blocks that are not for the reader to run, and who looks at them."""
RUN = ("console", "bash", "python", "toml")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    language: str
    """First word after the fence."""
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The commands of a console block, as words: lines after a prompt, those that a backslash ends joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [PROMPT.sub("", line) for line in lines if PROMPT.match(line)]
        found = (shlex.split(SETTING.sub("", line), comments=True) for line in lines)
        return [words for words in found if words]

    def not_run(self) -> list[str]:
        """What in it keeps it, or some of its commands, from being run."""
        if self.language in ("console", "bash"):
            return [start for words in self.commands() if (start := why_not(words))]
        return [start for start in NOT_RUN if re.search(rf"^{re.escape(start)}", self.text, re.MULTILINE)]


def why_not(words: list[str]) -> str | None:
    """Say why a command is not run, if so."""
    line = " ".join(words)
    return next((start for start in NOT_RUN if f"{line} ".startswith(start)), None)


@cache
def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text[: found.start()].count("\n") + 1,
            found["language"].split()[0] if found["language"].strip() else "",
            found["text"],
        )
        for found in FENCE.finditer(text)
    ]


def pages_to_run() -> list[Path]:
    """Pages that hold a block to be run, and are."""
    held = [page for page in PAGES if any(block.language in RUN for block in blocks(page))]
    return [page for page in held if page.relative_to(ROOT).as_posix() not in IN_PARTS]
