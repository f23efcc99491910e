"""Run the default tests under other numerics, surroundings, Pythons and versions; print a Markdown table of it.

``python tools/test_elsewhere.py [--only NAME …] [--jobs N] [-- PYTEST ARGUMENTS]``, or ``make test-elsewhere`` for
all rows, which takes about half an hour on four cores. Settings that do not touch each other share a row. A row whose
tests fail, or whose packages cannot be installed, makes the exit code 1; a Python that is not on the machine is said.

Environments and logs are kept in ``build/elsewhere`` and made again where what they are made from has changed.
Packages come through uv from the index that it is set to; Pythons are those on the PATH, of uv and of pyenv.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "elsewhere"
LIMIT_S = 4 * 3600
COLUMNS = 40
TOLERANT = (
    "-W",
    "ignore::DeprecationWarning",
    "-W",
    "ignore::PendingDeprecationWarning",
    "-W",
    "ignore::FutureWarning",
)
"""With versions that nobody pinned, what packages announce to each other is no error."""
SECOND = ("--editable", "packages/genomics")
"""The second distribution, whose tests run as well."""
TESTS = ("tests", "packages/genomics/tests")
INSTALLS: Mapping[str, tuple[str, ...]] = {
    "pinned": ("--constraint", "constraints.txt", "--editable", ".[dev]", *SECOND),
    "lowest": ("--resolution", "lowest-direct", "--editable", ".[dev]", *SECOND),
    "lowest, no extras": ("--resolution", "lowest-direct", "--editable", ".", *SECOND),
    "newest": ("--upgrade", "--editable", ".[dev]", *SECOND),
}
OWN: tuple[str, ...] = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "MCLSTEXP_CACHE",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "COLUMNS",
    "LINES",
)
OWN += ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OPENBLAS_CORETYPE", "PYTHONPATH", "PYTHONUTF8")
OWN += ("PYTHONDONTWRITEBYTECODE",)


@dataclass(frozen=True)
class Row:
    """One run of the tests."""

    name: str
    """What `--only` calls it."""
    python: str = "3.11"
    """Version of the interpreter."""
    versions: str = "pinned"
    """Of the dependencies: a key of `INSTALLS`."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Set for the run, beside what the other fields set; none of `OWN` reaches it from this process."""
    threads: int = 1
    """Of each library in each process."""
    home: str = "an ordinary home"
    """Or "a home with spaces and umlauts", or "a home that cannot be written"."""
    elsewhere: bool = False
    """Whether the working directory is another than the repository's."""
    terminal: bool = False
    """Whether there is a terminal, of `COLUMNS` columns; one process then runs all tests: others would not see it."""
    no_sigint: bool = False
    """Whether SIGINT is ignored, as under `nohup … &`."""

    @property
    def setting(self) -> str:
        """Say in words what is special, for the table."""
        said = [f"{name}={value}" for name, value in self.env.items()]
        said += [] if self.versions == "pinned" else [f"{self.versions} versions"]
        said += [f"{self.threads} thread{'s' * (self.threads > 1)}"]
        said += [f"a terminal of {COLUMNS} columns" if self.terminal else "no terminal"]
        said += [] if self.home == "an ordinary home" else [self.home]
        said += ["another working directory"] * self.elsewhere + ["SIGINT ignored"] * self.no_sigint
        return ", ".join(said)


ROWS = (
    Row("lowest", versions="lowest"),
    Row("lowest-bare", versions="lowest, no extras"),
    Row("3.13", python="3.13"),
    Row("3.12", python="3.12", threads=4),
    Row("newest", python="3.13", versions="newest"),
    Row(
        "plain",
        env={"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "LANG": "C", "LC_ALL": "C"},
        home="a home with spaces and umlauts",
        no_sigint=True,
    ),
    Row(
        "avx2",
        env={"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell", "LANG": "C"},
        threads=4,
        home="a home that cannot be written",
        elsewhere=True,
    ),
    Row("terminal", terminal=True),
)


@dataclass(frozen=True)
class Outcome:
    """How a row ended."""

    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0
    trouble: str = ""
    """Why nothing could be run."""

    @property
    def wrong(self) -> bool:
        """Whether the exit code should tell."""
        return bool(self.failed) or (bool(self.trouble) and not self.trouble.endswith("not found"))


def find_python(version: str) -> Path | None:
    """Look for an interpreter on the PATH, with uv and with pyenv; one that runs and says that it is this version."""
    found = [shutil.which(f"python{version}"), sys.executable]
    if tool := uv():
        asked = subprocess.run([tool, "python", "find", version], capture_output=True, text=True, check=False)
        found.append(asked.stdout.strip() or None)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for path in filter(None, found):
        program = "import sys; print('{}.{}'.format(*sys.version_info))"
        with suppress(OSError):
            done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                return Path(path)
    return None


def uv() -> str | None:
    """Return the uv that `make install` puts beside this Python, or else the one on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def environment(row: Row, log: IO[bytes]) -> Path | str:
    """Make the row's environment if it is not there; return its interpreter, or why there is none."""
    folder = BUILD / f"{row.python}-{row.versions.replace(', ', '-').replace(' ', '-')}"
    words = [*INSTALLS[row.versions]]
    if ".[dev]" not in words:  # without the extras the tools of the tests are named one by one
        dev = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
        words += [need for need in dev if need.startswith(("pytest", "hypothesis", "beartype"))]
    made_from = " ".join([row.python, *words])
    digest = hashlib.sha256(made_from.encode())
    for name in ("pyproject.toml", "constraints.txt", "packages/genomics/pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    stamp, python = folder / "made-from", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return python
    interpreter, tool = find_python(row.python), uv()
    if interpreter is None:
        return f"Python {row.python} not found"
    if tool is None:
        return "cannot be installed without uv: make install"
    for command in (
        [tool, "venv", "--clear", "--python", str(interpreter), str(folder)],
        [tool, "pip", "install", "--python", str(python), *words],
    ):
        if subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode:
            return f"cannot be installed: see {log.name}"
    stamp.write_text(digest.hexdigest())
    return python


@contextmanager
def surroundings(row: Row) -> Iterator[tuple[dict[str, str], Path]]:
    """Make home and working directory of a row; yield its environment variables and where it runs."""
    place = BUILD / "places" / row.name
    shutil.rmtree(place, ignore_errors=True)
    homes = {"a home with spaces and umlauts": "Ünï cödé häuser", "a home that cannot be written": "file/home"}
    home, working = place / homes.get(row.home, "home"), place / "working"
    working.mkdir(parents=True)
    if row.home == "a home that cannot be written":
        home.parent.write_text("not even the superuser makes folders below a file")
    else:
        home.mkdir()
    env = {name: value for name, value in os.environ.items() if name not in OWN}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(row.threads))
    # more threads than cores would else spin while they wait for each other
    env |= {"HOME": str(home), "LANG": "C.UTF-8", "OMP_WAIT_POLICY": "passive", **threads, **row.env}
    if row.terminal:
        env |= {"TERM": "xterm-256color"}
    yield env, working if row.elsewhere else ROOT
    shutil.rmtree(place, ignore_errors=True)


def pytest_words(row: Row, python: Path, report: Path, *, jobs: int, more: Sequence[str]) -> list[str]:
    """Return the command of a row."""
    words = [str(python), "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-q"]
    words += ["-p", "no:cacheprovider", "--junitxml", str(report)]
    words += ["--numprocesses", "0", "--capture", "sys"] if row.terminal else ["--numprocesses", str(jobs)]
    if not row.terminal:
        words += ["--dist", "worksteal"]
    words += TOLERANT if row.versions != "pinned" else ()
    # what is named from here is not there in another working directory
    tests = [str(ROOT / word) if (ROOT / word.partition("::")[0]).exists() else word for word in more]
    return [*words, *(tests or [str(ROOT / folder) for folder in TESTS])]


def run(row: Row, *, jobs: int, more: Sequence[str]) -> Outcome:
    """Run the tests of a row, with everything that they say in its log."""
    (BUILD / "logs").mkdir(parents=True, exist_ok=True)
    report = BUILD / "logs" / f"{row.name}.xml"
    report.unlink(missing_ok=True)
    with (BUILD / "logs" / f"{row.name}.txt").open("wb") as log:
        python = environment(row, log)
        if isinstance(python, str):
            return Outcome(trouble=python)
        with surroundings(row) as (env, working):
            begun = time.monotonic()
            execute(row, pytest_words(row, python, report, jobs=jobs, more=more), env=env, working=working, log=log)
            seconds = time.monotonic() - begun
    return read_report(report, seconds=seconds) if report.exists() else Outcome(trouble=f"no report: see {log.name}")


def execute(row: Row, words: Sequence[str], *, env: Mapping[str, str], working: Path, log: IO[bytes]) -> None:
    """Run a command into a log, through a terminal where the row has one; it does not outlive this process."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if row.no_sigint else None
    ours, theirs = pty.openpty() if row.terminal else (-1, -1)
    if row.terminal:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    ends = (theirs, theirs, theirs) if row.terminal else (subprocess.DEVNULL, log, log)
    process = subprocess.Popen(words, env=dict(env), cwd=working, stdin=ends[0], stdout=ends[1], stderr=ends[2])
    if before is not None:
        signal.signal(signal.SIGINT, before)
    copier = threading.Thread(target=copy, args=(ours, log), daemon=True)
    try:
        if row.terminal:
            os.close(theirs)
            copier.start()
        process.wait(LIMIT_S)
    finally:
        process.kill()
        if row.terminal:
            copier.join(10)


def copy(terminal: int, log: IO[bytes]) -> None:
    """Write down what comes through a terminal, until there is nobody at its other end."""
    with suppress(OSError, ValueError):
        while read := os.read(terminal, 65536):
            log.write(read)


def read_report(path: Path, *, seconds: float) -> Outcome:
    """Count what a JUnit report says; a test that neither failed nor was skipped has passed."""
    failed, passed, skipped = [], 0, 0
    for case in ET.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Outcome(passed=passed, failed=tuple(failed), skipped=skipped, seconds=seconds)


def line(row: Row, outcome: Outcome) -> str:
    """Return a row of the table."""
    counts = f"{outcome.passed} | {len(outcome.failed)} | {outcome.skipped} | {outcome.seconds:.0f}"
    return (
        f"| {row.name} | {row.setting} | {row.python} | {outcome.trouble + ' | | |' if outcome.trouble else counts} |"
    )


def main() -> int:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [row.name for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="rows that are run; all by default")
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count() or 1), help="processes of a row")
    parser.add_argument("more", nargs="*", help="tests, or other arguments of pytest, after --; all tests by default")
    asked = parser.parse_args()
    outcomes = []
    print("| row | setting | Python | passed | failed | skipped | seconds |\n|---|---|---|---:|---:|---:|---:|")
    for row in ROWS:
        if row.name in asked.only:
            outcomes.append(run(row, jobs=asked.jobs, more=asked.more))
            print(line(row, outcomes[-1]), flush=True)
    for name in sorted({name for outcome in outcomes for name in outcome.failed}):
        print(f"failed: {name}", file=sys.stderr)
    return int(any(outcome.wrong for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
