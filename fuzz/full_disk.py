"""Commands on disks that are too small, and again once there is room.

Run ``python -m fuzz.full_disk --sizes 20`` as root, which may mount a disk in memory: each command of `fuzz.kill`
writes to disks of as many sizes, from none to one that is enough. It must end with exit code 2 and one sentence, leave
nothing that is not whole, and with room made end as on a large disk. `evaluate` judges in this process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz.case import MAX_SENTENCE
from fuzz.kill import Ended, run_forked
from fuzz.kill_commands import COMMANDS, Command, equal, prepare
from fuzz.limits import in_memory

_LARGE_KB: Final = 512 * 1024
_SENTENCE: Final = re.compile(r"(mclstexp: )?.+ expected.*, found.*: .+")


@dataclass
class Tally:
    """What came of a command."""

    command: str
    needed_kb: int = 0
    """Where it had most on the disk."""
    n_refused: int = 0
    n_enough: int = 0
    longest_s: float = 0.0
    faults: tuple[str, ...] = ()


@contextlib.contextmanager
def disk(place: Path, kb: int) -> Iterator[None]:
    """Mount a disk of that size."""
    place.mkdir(exist_ok=True)
    _mount("mount", "-t", "tmpfs", "-o", f"size={kb}k", "tmpfs", str(place))
    try:
        yield
    finally:
        _mount("umount", "-l", str(place))


def _mount(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def try_command(command: Command, home: Path, *, n_sizes: int) -> Tally:
    """Do a command on disks of so many sizes."""
    place, expected, log, tally = home / "disk", home / "expected", home / "log.txt", Tally(command.name)

    def run() -> Ended:
        log.unlink(missing_ok=True)
        return run_forked(lambda: command.run(home, place), log=log)

    with disk(place, _LARGE_KB):
        command.before(home, place)
        least = _used_kb(place)
        with _peak(place) as peak:
            ended = run()
        if ended.code != 0:
            tally.faults = (f"on a large disk it ended with {ended.code}: {_said(log)}",)
            return tally
        tally.needed_kb = peak[0]
        shutil.rmtree(expected, ignore_errors=True)
        shutil.copytree(place, expected)
    for number in range(n_sizes):
        share = 1.25 * number / (n_sizes - 1)  # a peak may be shorter than we look
        kb = 4 * max(1, round((least + (tally.needed_kb - least) * share) / 4))
        with disk(place, kb):
            with contextlib.suppress(OSError):
                command.before(home, place)
            before = {path: path.read_bytes() for path in _visible(place)}
            ended = run()
            tally.longest_s = max(tally.longest_s, ended.seconds)
            tally.n_refused, tally.n_enough = tally.n_refused + (ended.code == 2), tally.n_enough + (ended.code == 0)
            wrong = _wrong(ended, log, place, expected, before)
            if not wrong:
                _mount("mount", "-o", f"remount,size={_LARGE_KB}k", str(place))
                ended = run()
                said = equal(place, expected)
                wrong = f"with room it ended with {ended.code}: {_said(log)}" if ended.code else said
        if wrong:
            tally.faults += (f"{kb} kB: {wrong}",)
    return tally


def _wrong(ended: Ended, log: Path, place: Path, expected: Path, before: dict[Path, bytes]) -> str:
    """Say what is wrong after a command on a small disk."""
    said = _said(log)
    if ended.code not in (0, 2):
        return f"it ended with {ended.code} after {ended.seconds:.0f} s: {said}"
    if ended.code == 0:
        return equal(place, expected)
    if not _SENTENCE.fullmatch(said) or len(said) > MAX_SENTENCE + len(str(place)):
        return f"no sentence: {said}"
    for path in _visible(place):
        same = expected / path.relative_to(place)
        whole = same.is_file() and same.read_bytes() == path.read_bytes()
        if not whole and before.get(path) != path.read_bytes() and path.suffix not in (".csv", ".json"):
            return f"{path.relative_to(place)} is half-written"
    return "" if all(path.exists() for path in before) else "what was there before is lost"


def _visible(place: Path) -> list[Path]:
    found = [path for path in place.rglob("*") if path.is_file()]
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(place).parts)]


def _said(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return (lines or [""])[-1]


def _used_kb(place: Path) -> int:
    about = os.statvfs(place)
    return (about.f_blocks - about.f_bfree) * about.f_frsize // 1024


@contextlib.contextmanager
def _peak(place: Path) -> Iterator[list[int]]:
    """Ask over and over how full a disk is."""
    most, ended = [_used_kb(place)], threading.Event()

    def ask() -> None:
        while not ended.wait(0.005):
            most[0] = max(most[0], _used_kb(place))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield most
    finally:
        ended.set()
        asking.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do every command on small disks and print a table; exit code 1 if one did otherwise than it must."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.full_disk", description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, default=20, help="sizes of disks for each command, 2 or more")
    parser.add_argument("--only", default="", help="names of commands, with commas")
    asked = parser.parse_args(arguments)
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        sys.exit("root expected, who may mount a disk in memory, found another user: run it in a container")
    wanted = [command for command in COMMANDS if not asked.only or command.name in asked.only.split(",")]
    n_faults, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mclstexp-full-", dir=in_memory()) as folder:
        with contextlib.redirect_stdout(sys.stderr):
            prepare(Path(folder))
        print("| command | needs, kB | sizes | refused | large enough | longest, s | otherwise |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for command in wanted:
            tally = try_command(command, Path(folder), n_sizes=asked.sizes)
            n_faults += len(tally.faults)
            counts = (tally.needed_kb, asked.sizes, tally.n_refused, tally.n_enough, f"{tally.longest_s:.1f}")
            print(f"| {' | '.join(map(str, (tally.command, *counts, len(tally.faults))))} |", flush=True)
            for fault in tally.faults:
                print(f"  {tally.command}: {fault}", file=sys.stderr, flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
