"""A process that predicts slides one after the other: ``python -m mclstexp.whole_slide.worker``.

Its stdin brings the batch in the first line and then a slide a line, its stdout takes what happens, as JSON lines. The
end of stdin is the end of the run, however it came about, and of this process, whatever it is doing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import sys
import threading
import warnings
from typing import Any, TextIO

import torch

from mclstexp.evaluation.crew import leave_signals_to_the_run, lines_of_the_run
from mclstexp.whole_slide.batch import Batch, predict_job, read_model
from mclstexp.whole_slide.manifest import SlideJob


def main() -> None:
    """Load the model once, then predict what comes."""
    leave_signals_to_the_run()
    channel = _own_stdout()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    warnings.simplefilter("default")
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    batch = Batch.from_dict(json.loads(lines.get()))
    model = read_model(batch.run)
    _say(channel, "ready")
    while True:
        job = SlideJob(**json.loads(lines.get()))
        outcome = predict_job(
            model, job, batch, on_progress=lambda done, total: _say(channel, "tiles", done=done, total=total)
        )
        _say(channel, "outcome", **dataclasses.asdict(outcome))


def _own_stdout() -> TextIO:
    """Keep stdout for ourselves: what libraries print there goes to stderr."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in lines_of_the_run():
        lines.put(line)
    os._exit(0)


def _say(channel: TextIO, event: str, **content: Any) -> None:
    channel.write(json.dumps({"event": event, **content}) + "\n")
    channel.flush()


if __name__ == "__main__":
    main()
