"""A process that judges one method: ``python -m mclstexp.evaluation.worker FOLDER LABEL FOLD …``.

Processes of their own keep methods apart: each one's memory can be told, and one that dies takes no other with it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

from anndata import AnnData

from mclstexp.core.doors import through
from mclstexp.evaluation.comparison import Comparison
from mclstexp.evaluation.crew import leave_signals_to_the_run, lines_of_the_run
from mclstexp.evaluation.harness import join_scores
from mclstexp.evaluation.run_plan import read_plan
from mclstexp.io.writing import is_of_writing, refusal


def main(arguments: Sequence[str]) -> None:
    """Judge a method on folds one after the other, leaving a part for each."""
    gc.freeze()  # what is imported lives as long as the process; looking for garbage in it takes seconds at the end
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")  # to stderr: the method's log
    warnings.simplefilter("default")
    leave_signals_to_the_run()
    threading.Thread(target=_leave_with_the_run, daemon=True).start()
    folder, label, *folds = arguments
    plan = read_plan(Path(folder))
    with through("file"):
        for fold in folds:
            _say(fold, "begun")
            try:
                judge_part(plan, label, fold)
            except Exception as error:
                if not is_of_writing(error):
                    raise
                _say(fold, "refused", reason=refusal(error, plan.folder) or str(error))
                sys.exit(2)
            _say(fold, "done")


def judge_part(plan: Comparison, label: str, fold: str) -> None:
    """Let a method learn and answer in this process, and leave its part."""
    key = plan.key(label, fold)
    workdir = plan.folder / "work" / key

    predicted: list[AnnData] = []
    scores = plan.judge(label, fold, workdir=workdir, keep=lambda answer, _: predicted.append(answer))
    plan.parts.write(key, join_scores([scores]), predicted)
    shutil.rmtree(workdir, ignore_errors=True)


def _say(fold: str, state: str, **more: str) -> None:
    print(json.dumps({"fold": fold, "state": state, **more}), flush=True)


def _leave_with_the_run() -> None:
    """End when the run that started this process ends, however it ended: then its end of the pipe is closed."""
    for _ in lines_of_the_run():
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
