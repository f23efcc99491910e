"""Commands killed at any moment, run again, and compared with those that were left alone.

Run ``python -m fuzz.kill --kills 200``: as many times as said a command is begun in a fork of this process, which has
everything imported, and ended by SIGKILL: at its n-th act on the file system, or after a share of its time. Then it is
run to its end. Its exit code must be 0, what it leaves equal to what an undisturbed run leaves, bit for bit but for
times, and nothing else may lie there.
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz.kill_commands import COMMANDS, Command, equal, prepare
from fuzz.limits import in_memory

_ACTS: Final = frozenset(
    ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir", "tempfile.mkdtemp")
)
"""Audit events of Python that stand for acts on the file system."""
_LIMIT_S: Final = 120.0
"""So long a run may take on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    """Exit code; negative for a signal."""
    n_acts: int
    """Acts on the file system that it, and its forks, came to."""
    seconds: float
    """How long it took."""


class _Counter:
    """A number that forks of a process share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    def add(self) -> int:
        value = self.value + 1
        self._memory[:8] = struct.pack("q", value)
        return value

    @property
    def value(self) -> int:
        return struct.unpack("q", self._memory[:8])[0]


@contextlib.contextmanager
def _quietly(log: Path) -> Iterator[None]:
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    yield
    sys.stdout.flush()
    sys.stderr.flush()


def run_forked(
    work: Callable[[], int], *, log: Path, kill_at: int | None = None, kill_after_s: float | None = None
) -> Ended:
    """Do work in a fork of this process; kill it at an act, after some time, or not at all."""
    counter, started = _Counter(), time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with _quietly(log):
                me = os.getpid()

                def count(event: str, _: object) -> None:
                    if event in _ACTS and counter.add() == kill_at:
                        os.kill(me, signal.SIGKILL)

                sys.addaudithook(count)
                code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    limit = started + (_LIMIT_S if kill_after_s is None else kill_after_s)
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > limit:
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
            break
        time.sleep(0.005)
    return Ended(os.waitstatus_to_exitcode(ended[1]), counter.value, time.monotonic() - started)


@dataclass
class Tally:
    """What came of a command."""

    command: str
    n_kills: int = 0
    n_died: int = 0
    """Of these, how many came before the run's own end."""
    faults: tuple[str, ...] = ()


def try_command(command: Command, home: Path, *, n_kills: int, seed: int) -> Tally:
    """Kill a command at `n_kills` moments that the seed decides."""
    rng, tally, log = random.Random(f"{seed} {command.name}"), Tally(command.name), home / "log.txt"
    place = home / "place"

    def fresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        command.before(home, place)

    def work() -> int:
        return command.run(home, place)

    fresh()
    whole = run_forked(work, log=log)
    if whole.code != 0:
        return Tally(command.name, faults=(f"undisturbed it ended with {whole.code}: {_last_line(log)}",))
    expected = home / "expected"
    shutil.rmtree(expected, ignore_errors=True)
    place.rename(expected)
    for number in range(n_kills):
        fresh()
        share = (number + rng.random()) / n_kills
        at_act = number % 4 != 3
        moment = max(1, round(share * whole.n_acts)) if at_act else share * whole.seconds
        ended = run_forked(work, log=log, **{"kill_at" if at_act else "kill_after_s": moment})
        again = run_forked(work, log=log)
        tally.n_kills += 1
        tally.n_died += ended.code == -signal.SIGKILL
        wrong = f"it ended with {again.code}: {_last_line(log)}" if again.code else equal(place, expected)
        if wrong:
            how = f"act {moment}" if at_act else f"{moment:.3f} s"
            tally.faults += (f"killed at {how} of {whole.n_acts} acts, {whole.seconds:.2f} s; run again, {wrong}",)
    return tally


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""])[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill every command in turn and print a table; exit code 1 if one did not come back."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.kill", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="moments in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of commands, with commas")
    asked = parser.parse_args(arguments)
    wanted = [command for command in COMMANDS if not asked.only or command.name in asked.only.split(",")]
    faults, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mclstexp-kill-", dir=in_memory()) as folder:
        home = Path(folder)
        with contextlib.redirect_stdout(sys.stderr):
            prepare(home)
        print("| command | kills | of these before its end | not equal when run again |\n|---|---:|---:|---:|")
        for number, command in enumerate(wanted):
            n_kills = asked.kills // len(wanted) + (number < asked.kills % len(wanted))
            tally = try_command(command, home, n_kills=n_kills, seed=asked.seed)
            faults += len(tally.faults)
            print(f"| {tally.command} | {tally.n_kills} | {tally.n_died} | {len(tally.faults)} |", flush=True)
            for fault in tally.faults:
                print(f"  {tally.command}: {fault}", file=sys.stderr, flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
