"""Running a plan: a process per method, several at once, finished parts kept, dead ones reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pandas as pd

from mclstexp.evaluation.exam import failure, prepare, references
from mclstexp.evaluation.harness import join_scores
from mclstexp.evaluation.run_plan import Plan, safe_name

OnEvent = Callable[[str, str, str], None]
"""Called with (label, fold, state): "begun", "done" or "died"; first of all with ("", "", "of N") parts to compute."""


@dataclass
class _Crew:
    """The processes at work, so that all of them end when the run does."""

    at_work: set[subprocess.Popen] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    dismissed: bool = False

    def start(self, command: Sequence[str], *, env: Mapping[str, str], log: int) -> subprocess.Popen | None:
        with self.lock:
            if self.dismissed:
                return None
            # a pipe that is never written to: the worker reads its end as the end of this run
            process = subprocess.Popen(  # noqa: S603  our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=dict(env), text=True
            )
            self.at_work.add(process)
            return process

    def dismiss(self) -> None:
        with self.lock:
            self.dismissed = True
            for process in self.at_work:
                process.kill()


def run_plan(plan: Plan, *, jobs: int = 1, on_event: OnEvent | None = None) -> pd.DataFrame:
    """Compute the parts that are missing and return the scores of all.

    Parameters
    ----------
    plan
        What is run. Parts that are already in its folder are taken as they are.
    jobs
        Methods judged at once, each in a process of its own with its share of the processor's cores.
    on_event
        Is told what begins and ends.

    Returns
    -------
    Scores in the order of methods and folds, as `evaluate` returns them. A method whose process died in a fold has a
    row "failed" there; such a part is tried again when the plan is run again.
    """
    plan.write()
    todo = {
        label: missing
        for label in plan.methods
        if (missing := [fold for fold in plan.folds if not plan.parts.path(plan.key(label, fold)).is_file()])
    }
    crew = _Crew()
    died: dict[tuple[str, str], str] = {}
    say = on_event or (lambda label, fold, state: None)  # noqa: ARG005
    say("", "", f"of {sum(map(len, todo.values()))}")
    try:
        with ThreadPoolExecutor(jobs) as pool:
            waiting = [
                pool.submit(_work, plan, crew, label, chunk, jobs=jobs, say=say)
                for label, folds in todo.items()
                for chunk in _chunks(folds, n_chunks=-(-jobs // len(todo)))
            ]
            try:
                for future in waiting:
                    died |= future.result()
            finally:
                crew.dismiss()
    finally:
        crew.dismiss()
    return _collect(plan, died)


def _chunks(folds: list[str], *, n_chunks: int) -> list[list[str]]:
    """Split folds over processes where there are more of those than methods."""
    return [folds[i::n_chunks] for i in range(min(n_chunks, len(folds)))]


def _work(
    plan: Plan, crew: _Crew, label: str, folds: list[str], *, jobs: int, say: OnEvent
) -> dict[tuple[str, str], str]:
    """Have a method judged; after a death go on with the next fold in a new process. Returns what died and how."""
    died: dict[tuple[str, str], str] = {}
    left = list(folds)
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    while left and not crew.dismissed:
        command = [sys.executable, "-m", "mclstexp.evaluation.worker", str(plan.folder), label, *left]
        with (plan.folder / "logs" / f"{safe_name(label)}.txt").open("a", encoding="utf-8") as log:
            process = crew.start(command, env=_environment(jobs), log=log.fileno())
            if process is None or process.stdout is None:
                break
            with process:  # closes its pipes when it has ended
                for line in process.stdout:
                    event = json.loads(line)
                    say(label, event["fold"], event["state"])
                    if event["state"] == "done":
                        left.remove(event["fold"])
            code = process.returncode
        if code != 0 and left and not crew.dismissed:
            died[label, left[0]] = _how(code)
            say(label, left.pop(0), "died")
    return died


def _environment(jobs: int) -> dict[str, str]:
    """Give every process its share of the cores: twice as many threads as cores is slower than one each."""
    share = str(max(1, (os.cpu_count() or 1) // jobs))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **(dict.fromkeys(names, share) if jobs > 1 else {})}


def _how(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = ": was there memory enough?" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {code}; the log says why"


def _collect(plan: Plan, died: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    tables = []
    for name, fold in plan.folds.items():
        exam = prepare(fold, plan.rules)
        for label, method in plan.methods.items():
            scores = plan.parts.read(plan.key(label, name))
            if scores is None:
                reason = died.get((label, name), "its part cannot be read: run again")
                scores = failure(exam, label=label, method=method, reason=reason)
            tables.append(scores)
        tables.append(references(exam))
    return join_scores(tables)
