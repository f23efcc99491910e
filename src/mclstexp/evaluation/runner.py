"""Running a plan: a process per method, several at once, finished parts kept, dead ones reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.evaluation.comparison import Comparison, safe_name
from mclstexp.evaluation.crew import Crew, environment, how_it_ended
from mclstexp.evaluation.harness import join_scores
from mclstexp.evaluation.worker import judge_part

_ATTEMPTS: Final = 2
"""A part that is computed and then not found whole is computed again so often in all."""
OnEvent = Callable[[str, str, str], None]
"""Called with (label, fold, state): "begun", "done" or "died"; first of all with ("", "", "of N") parts to compute."""


def run_plan(plan: Comparison, *, jobs: int | None = 1, on_event: OnEvent | None = None) -> pd.DataFrame:
    """Compute the parts that are missing and return the scores of all.

    Parameters
    ----------
    plan
        What is run. Parts that are whole in its folder are taken as they are; what is damaged is computed again.
    jobs
        Methods judged at once, each in a process of its own with its share of the processor's cores; None: one after
        the other in this process, which a method that dies takes with it.
    on_event
        Is told what begins and ends.

    Returns
    -------
    Scores in the order of methods and folds, as `evaluate` returns them; ``attrs["notes"]`` says what of the test
    sections could not be scored. A method whose process died in a fold has a
    row "failed" there; such a part is tried again when the plan is run again.

    Raises
    ------
    InputError
        If there is no room for a part, or it cannot be read back though it was computed again.
    """
    plan.write()
    died: dict[tuple[str, str], str] = {}
    say = on_event or (lambda label, fold, state: None)  # noqa: ARG005
    for attempt in range(_ATTEMPTS):
        todo = _missing(plan, died)
        if attempt == 0:
            say("", "", f"of {sum(map(len, todo.values()))}")
        if jobs is None:
            _compute_here(plan, todo, say=say)
        elif todo:
            died |= _compute(plan, todo, jobs=jobs, say=say)
    scores = _collect(plan, died)
    plan.gather_predictions()
    return scores


def _missing(plan: Comparison, died: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return the folds by label whose parts are not there, read back and found whole."""
    missing = {
        label: [
            fold for fold in plan.folds if (label, fold) not in died and plan.parts.read(plan.key(label, fold)) is None
        ]
        for label in plan.methods
    }
    return {label: folds for label, folds in missing.items() if folds}


def _compute(plan: Comparison, todo: Mapping[str, list[str]], *, jobs: int, say: OnEvent) -> dict[tuple[str, str], str]:
    """Have parts computed; returns what died and how."""
    crew = Crew()
    died: dict[tuple[str, str], str] = {}
    try:
        with ThreadPoolExecutor(jobs) as pool:
            waiting = [
                pool.submit(_work, plan, crew, label, chunk, jobs=jobs, say=say)
                for label, folds in todo.items()
                for chunk in _chunks(folds, n_chunks=-(-jobs // len(todo)))
            ]
            try:
                for future in as_completed(waiting):
                    died |= future.result()
            finally:
                crew.dismiss()
    finally:
        crew.dismiss()
    return died


def _compute_here(plan: Comparison, todo: Mapping[str, list[str]], *, say: OnEvent) -> None:
    for label, folds in todo.items():
        for fold in folds:
            say(label, fold, "begun")
            judge_part(plan, label, fold)
            say(label, fold, "done")


def _chunks(folds: list[str], *, n_chunks: int) -> list[list[str]]:
    """Split folds over processes where there are more of those than methods."""
    return [folds[i::n_chunks] for i in range(min(n_chunks, len(folds)))]


def _work(
    plan: Comparison, crew: Crew, label: str, folds: list[str], *, jobs: int, say: OnEvent
) -> dict[tuple[str, str], str]:
    """Have a method judged; after a death go on with the next fold in a new process. Returns what died and how.

    Raises
    ------
    InputError
        If there is no room for what it writes.
    """
    died: dict[tuple[str, str], str] = {}
    left = list(folds)
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    while left and not crew.dismissed:
        command = [sys.executable, "-m", "mclstexp.evaluation.worker", str(plan.folder), label, *left]
        with (plan.folder / "logs" / f"{safe_name(label)}.txt").open("a", encoding="utf-8") as log:
            process = crew.start(command, env=environment(jobs), log=log.fileno())
            if process is None or process.stdout is None:
                break
            with process:  # closes its pipes when it has ended
                for line in process.stdout:
                    event = json.loads(line)
                    if event["state"] == "refused":  # no room: it will be no better for the others
                        raise InputError(event["reason"])
                    say(label, event["fold"], event["state"])
                    if event["state"] == "done":
                        left.remove(event["fold"])
            code = process.returncode
        if code != 0 and left and not crew.dismissed:
            died[label, left[0]] = how_it_ended(code)
            say(label, left.pop(0), "died")
    return died


def _collect(plan: Comparison, died: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    tables, notes = [], []
    for name in plan.folds:
        references, said = plan.beside(name)
        notes += said
        for label in plan.methods:
            scores = plan.parts.read(plan.key(label, name))
            if scores is None:
                if (label, name) not in died:
                    msg = (
                        f"finished parts that can be read back expected in {plan.folder}, found that of {label} on "
                        f"{name} damaged, or of code that was edited meanwhile, {_ATTEMPTS} times: check that disk, "
                        "leave the code as it is, and run the same again"
                    )
                    raise InputError(msg)
                scores = plan.of_dead(label, name, reason=died[label, name])
            tables.append(scores)
        tables += [references] if len(references) else []  # some questions have none
    scores = join_scores(tables)
    scores.attrs["notes"] = notes
    return scores
