"""Experiments, and methods put to the test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.options import options_from_text
from mclstexp.core.own_file import load_own_file
from mclstexp.core.rooms import ROOMS, room_of
from mclstexp.evaluation.config import make_in
from mclstexp.evaluation.conformance import run_checks
from mclstexp.evaluation.experiment import Experiment
from mclstexp.evaluation.preflight import preflight
from mclstexp.evaluation.promises import Result
from mclstexp.evaluation.results import SCORES, is_same
from mclstexp.evaluation.room_methods import RoomMethods
from mclstexp.evaluation.run_plan import plan_of
from mclstexp.evaluation.runner import OnEvent, run_plan
from mclstexp.evaluation.trial import run_trial, trial_of
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_free
from mclstexp.io.working import working_folder, working_path

_log = logging.getLogger(__name__)


def run_experiment(
    experiment: Experiment | RoomMethods,
    *,
    out: Path | str,
    overwrite: bool = False,
    jobs: int | None = 1,
    on_event: OnEvent | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Run a comparison of methods and write its results; one that was killed resumes when it is run again.

    Results of the very same comparison that are there already are returned as they are. Finished parts (a method on a
    fold) lie in a hidden folder beside `out` until all are there. What can be checked in seconds is checked before
    anything is computed (`preflight`).

    Parameters
    ----------
    experiment
        What is compared; see `read_experiment`.
    out
        Folder for scores, summaries, comparisons, predictions, figures and ``experiment.json``.
    overwrite
        Whether results that are already there are replaced.
    jobs
        Methods judged at once, each in its own process; None: one after the other in this one.
    on_event
        Called with (label, fold, "begun", "done" or "died") as the run goes.
    on_warning
        Called once with each sentence that is worth knowing of the sections, as `validate` says it, and of what is not
        scored; by default they are logged. The results hold them too.

    Returns
    -------
    The summary, a table with one row per method.

    Raises
    ------
    InputError
        If data, methods or the place cannot be used, or another run is at it.
    """
    out = Path(out)
    if jobs is not None and jobs < 1:
        msg = f"a number of jobs of at least 1 expected, found {jobs}"
        raise InputError(msg)
    if overwrite or not is_same(out, {"experiment": asdict(experiment)}):
        require_free(out, mark=SCORES, what="the results", overwrite=overwrite)
    say = on_warning or _log.warning
    with working_folder(working_path(out), doing="an evaluation") as work:
        with through("file"):
            plan = plan_of(experiment, work.path)
            notes = preflight(plan)
            for note in notes:
                say(note)
            record = plan.record()
            if not overwrite and is_same(out, record):
                with suppress(InputError):  # what is damaged is made again
                    return plan.read_summary(out)
            scores = run_plan(plan, jobs=jobs, on_event=on_event)
        for note in (late := [note for note in dict.fromkeys(scores.attrs.pop("notes", [])) if note not in notes]):
            say(note)
        with atomic_path(out) as path:
            told = {**record, "notes": [*notes, *late]}
            summary = plan.write_results(scores, path, record=told)
            if plan.per_gene:
                _draw_scores(scores, summary, path / "figures")
    return summary


def _draw_scores(scores: pd.DataFrame, summary: pd.DataFrame, folder: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it

    from mclstexp.plotting.figures import draw_figures  # noqa: PLC0415
    from mclstexp.plotting.style import save_figure  # noqa: PLC0415

    folder.mkdir()
    for name, figure in draw_figures(scores, summary).items():
        for ending in ("png", "pdf"):
            save_figure(figure, folder / f"{name}.{ending}", dpi=200)
        plt.close(figure)


def check_method(method: str, option: Sequence[str] = ()) -> list[Result]:
    """Put a method to the checks that every method of its question must pass, on small made-up sections.

    Parameters
    ----------
    method
        A Python file with one ``@register``ed class, or a name of `list_methods`; of another question
        "imputation.NAME", "enhancement.NAME", "domains.NAME", "cohort.NAME".
    option
        Its options as ``name=value``. An image encoder, where it has one and none is given, is a small random one.

    Raises
    ------
    InputError
        If the file or an option cannot be used.
    """
    room, name = load_own_file(method, *ROOMS) if method.endswith(".py") else room_of(method)
    given = options_from_text(room.method_class(name), option, where=f"method {name}")
    make = partial(make_in, room, name, given, common={"encoder": "random:test_efficientnet"})
    return run_trial(make, trial_of(room)) if room.question else run_checks(make)
