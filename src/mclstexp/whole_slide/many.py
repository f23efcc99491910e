"""Many slides on one machine: a process for each few of them, and no slide that stops the others."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mclstexp.core.errors import InputError
from mclstexp.data.features import cache_folder
from mclstexp.evaluation.crew import Crew, environment, how_it_ended
from mclstexp.whole_slide.batch import Batch, Outcome, failed, read_model
from mclstexp.whole_slide.ledger import Ledger, OnEvent
from mclstexp.whole_slide.manifest import SlideJob


def predict_slides(batch: Batch, *, n_processes: int = 1, on_event: OnEvent | None = None) -> pd.DataFrame:
    """Predict expression over many slides; run again, it resumes.

    Slides whose result is there are skipped. One that fails, or whose process dies, is a line in ``failed.csv``; it is
    tried again by the next run.

    Parameters
    ----------
    batch
        What is predicted, and where it goes.
    n_processes
        Slides at once: each process loads the model, and has its share of the cores and a GPU of its own if there are
        enough.
    on_event
        Is told what happens; may be called from several threads.

    Returns
    -------
    A row per slide: name, slide, state (done, skipped, failed), tiles, unreadable, tissue_mm2, seconds,
    tiles_per_second, reason; also in ``summary.csv``.

    Raises
    ------
    InputError
        If the model, or the folder of results, cannot be used; or no process comes so far as to load the model.
    """
    if n_processes < 1:
        msg = f"a positive number of processes expected, found {n_processes}"
        raise InputError(msg)
    ledger, model = Ledger(batch, on_event=on_event), read_model(batch.run)
    with ledger.at_work():
        shift = _Shift(batch, ledger, deque(ledger.open(model)))
        n_processes = min(n_processes, len(shift.waiting))
        with ThreadPoolExecutor(max(1, n_processes)) as pool:
            try:
                threads = [pool.submit(_work, shift, i, n_processes=n_processes) for i in range(n_processes)]
                for thread in wait(threads, return_when=FIRST_EXCEPTION).done:
                    thread.result()
            finally:
                shift.crew.dismiss()
        if shift.waiting:
            msg = f"a process that loads the model expected, found that {shift.trouble}: try fewer at once"
            raise InputError(msg)
        return ledger.close()


@dataclass
class _Shift:
    """What the threads share, each of which looks after one process."""

    batch: Batch
    ledger: Ledger
    waiting: deque[SlideJob]
    crew: Crew = field(default_factory=Crew)
    trouble: str = ""


def _work(shift: _Shift, number: int, *, n_processes: int) -> None:
    """Give slides to a process until none is left; a new one takes the place of one that died."""
    env = {**environment(n_processes), **_own_gpu(number, torch.cuda.device_count(), n_processes=n_processes)}
    process = None
    with _log(shift.batch, number) as log:
        try:
            while shift.waiting:
                process = _start(shift, env, log=log) if process is None else process
                if process is None:  # it could not be, or the run is over
                    return
                try:
                    job = shift.waiting.popleft()
                except IndexError:  # another thread was quicker
                    break
                shift.ledger.begun(job)
                outcome = _ask(process, job, shift.ledger)
                if outcome is None:
                    outcome, process = failed(job, how_it_ended(_end(process))), None
                if not shift.crew.dismissed or outcome.state == "done":
                    shift.ledger.add(outcome)
        finally:
            if process is not None:
                _end(process)


def _end(process: subprocess.Popen) -> int:
    """Close a process's pipes, at which it leaves if it still runs, and return its exit code."""
    process.communicate()
    return process.returncode


def _start(shift: _Shift, env: dict[str, str], *, log: int) -> subprocess.Popen | None:
    """Start a process and wait until it has the model; None if it does not come so far."""
    process = shift.crew.start([sys.executable, "-m", "mclstexp.whole_slide.worker"], env=env, log=log)
    if process is None:
        return None
    if _send(process, shift.batch.to_dict()) and _receive(process) is not None:
        return process
    shift.trouble = how_it_ended(_end(process))
    return None


def _ask(process: subprocess.Popen, job: SlideJob, ledger: Ledger) -> Outcome | None:
    """Have a slide predicted; None if the process died of it."""
    if not _send(process, dataclasses.asdict(job)):
        return None
    while (said := _receive(process)) is not None:
        if said.pop("event") == "outcome":
            return Outcome(**said)
        ledger.tiles(job, said["done"], said["total"])
    return None


def _send(process: subprocess.Popen, content: dict[str, Any]) -> bool:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(content) + "\n")
        process.stdin.flush()
    except OSError:  # a broken pipe
        return False
    return True


def _receive(process: subprocess.Popen) -> dict[str, Any] | None:
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line.endswith("\n") else None


def _own_gpu(number: int, n_gpus: int, *, n_processes: int) -> dict[str, str]:
    """Spread processes over the GPUs that this one may use."""
    if n_gpus < 2 or n_processes < 2:
        return {}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in allowed.split(",")] if allowed else [str(i) for i in range(n_gpus)]
    return {"CUDA_VISIBLE_DEVICES": names[number % len(names)]}


@contextmanager
def _log(batch: Batch, number: int) -> Iterator[int]:
    """Open the file that takes what a process says on stderr; nothing is left of it if that was nothing."""
    folder = batch.place.path / "logs" if batch.place.is_local else cache_folder() / "slides" / "logs"
    path = folder / f"process{number + 1}{batch.label}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        yield file.fileno()
    if Path(path).stat().st_size == 0:
        path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
