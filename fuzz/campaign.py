"""Many cases, each target in a process of its own: what kills or holds a process is a fault of one case."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzz.case import Case, Outcome, Target
from fuzz.limits import in_memory, limit_memory
from fuzz.trial import Trial

Say = Callable[[dict[str, Any]], None]
"""Sends plain JSON to the parent."""


def run_campaign(
    target: Target, numbers: Sequence[int], *, seed: int, seconds: float, on_outcome: Callable[[Outcome], None]
) -> None:
    """Try a target's cases `numbers`; needs a system that forks.

    Parameters
    ----------
    target
        The door.
    numbers
        Which cases.
    seed
        Of the campaign.
    seconds
        What one case may take before it counts as held up.
    on_outcome
        Told of each case.
    """
    with tempfile.TemporaryDirectory(prefix="mclstexp-fuzz-", dir=in_memory()) as name:
        corpus, scratch = Path(name) / "corpus", Path(name) / "scratch"
        corpus.mkdir()
        scratch.mkdir()
        # in a process of its own: libraries that start threads then do so in no process that is forked again
        made = list(_in_a_process(lambda say: _make(target, corpus, say), most=600))
        if made != [{"made": True}]:
            msg = f"the inputs of {target.name} could not be made: {made}"
            raise RuntimeError(msg)
        left = list(numbers)
        while left:
            at_work: Case | None = None

            def work(say: Say, left: Sequence[int] = tuple(left)) -> None:
                limit_memory()
                trial = Trial(target, corpus, scratch, seconds=seconds)
                for number in left:
                    say({"begun": number})
                    say(asdict(trial.run(Case(target.name, number, seed))))

            ended = ""
            for event in _in_a_process(work, most=3 * seconds):
                ended = event.get("ended", "")
                if ended:
                    break
                if "begun" in event:
                    at_work = Case(target.name, event["begun"], seed)
                    continue
                outcome = Outcome(Case(**event.pop("case")), **event)
                left.remove(outcome.case.number)
                at_work = None
                on_outcome(outcome)
            if at_work is None and left:
                msg = f"the undamaged inputs of {target.name} cannot be read"
                raise RuntimeError(msg)
            if at_work is not None:
                left.remove(at_work.number)
                on_outcome(
                    Outcome(at_work, "fault", "see --case", f"the process had to be ended, or ended itself ({ended})")
                )


def _make(target: Target, corpus: Path, say: Say) -> None:
    target.make(corpus)
    say({"made": True})


def _in_a_process(work: Callable[[Say], None], *, most: float) -> Iterator[dict[str, Any]]:
    """Fork, and yield what the child says; end it if it is silent for `most` seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            if not os.environ.get("FUZZ_LOUD"):
                os.dup2(quiet, 2)
            else:
                import faulthandler

                faulthandler.dump_traceback_later(most / 2)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:

                def say(event: dict[str, Any]) -> None:
                    pipe.write(json.dumps(event) + "\n")
                    pipe.flush()

                work(say)
            code = 0
        except BaseException:  # a child never goes on with its parent's work
            if os.environ.get("FUZZ_LOUD"):
                import traceback

                traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    heard_out = False
    try:
        yield from _lines(reading, most=most)
        heard_out = True
    finally:
        os.close(reading)
        if not (heard_out and _gone(child)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        yield {"ended": f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"}


def _gone(child: int, *, seconds: float = 5.0) -> bool:
    """Wait a little for a process that has nothing more to say."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.01)
    return False


def _lines(descriptor: int, *, most: float) -> Iterator[dict[str, Any]]:
    kept = b""
    while True:
        started = time.monotonic()
        ready, _, _ = select.select([descriptor], [], [], most)
        if not ready:
            print(f"nothing heard for {time.monotonic() - started:.0f} s", file=sys.stderr)
            return
        data = os.read(descriptor, 65536)
        if not data:
            return
        *lines, kept = (kept + data).split(b"\n")
        yield from map(json.loads, lines)
