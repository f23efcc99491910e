"""Many slides on a Ray cluster: actors that hold the model; the same slides, books and results as on one machine."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.whole_slide.batch import Batch, Outcome, failed, predict_job, read_model
from mclstexp.whole_slide.ledger import Ledger, OnEvent
from mclstexp.whole_slide.manifest import SlideJob
from mclstexp.whole_slide.places import Place

_RETRIES: Final = 2
"""How often a slide is tried again whose process or machine was lost; what was done of it is not done again."""


def predict_slides_on_ray(
    batch: Batch,
    *,
    address: str | None = None,
    n_actors: int | None = None,
    cpus_each: int = 4,
    on_event: OnEvent | None = None,
) -> pd.DataFrame:
    """Predict expression over many slides on a Ray cluster; see `mclstexp.whole_slide.many.predict_slides`.

    The model travels with the actors. Slides and results must lie where every machine finds them: in an object store,
    or on a disk that all share. A slide whose process is lost goes on elsewhere from its finished blocks, which lie
    beside the results (for a store, in the machine's own cache).

    Parameters
    ----------
    batch
        What is predicted, and where it goes.
    address
        Of the cluster, as ``ray.init`` takes it; by default the one this machine belongs to, or else one of its own.
    n_actors
        Slides at once; by default one per GPU of the cluster, or where it has none, as many as the CPUs allow.
    cpus_each
        CPUs of an actor, where there are no GPUs.
    on_event
        Is told what happens.

    Returns
    -------
    As `mclstexp.whole_slide.many.predict_slides`.

    Raises
    ------
    InputError
        If Ray is not installed or the cluster cannot be reached; or the model, or the folder of results, cannot be
        used.
    """
    ledger, model = Ledger(batch, on_event=on_event), read_model(batch.run)
    with _cluster(address) as ray, ledger.at_work():
        waiting = deque(ledger.open(model))
        options, room = _resources(ray.cluster_resources(), cpus_each=cpus_each)
        actor = ray.remote(max_restarts=-1, max_task_retries=_RETRIES, **options)(_Desk)
        files = ray.put({path.name: path.read_bytes() for path in Path(batch.run).iterdir() if path.is_file()})
        plan, n_actors = _anchored(batch).to_dict(), min(n_actors or room, len(waiting))
        desks = [actor.remote(plan, n_threads=options["num_cpus"]) for _ in range(n_actors)]
        try:
            for outcome in _outcomes(ray, desks, waiting, ledger, files=files):
                ledger.add(outcome)
        finally:
            for desk in desks:
                ray.kill(desk)
        return ledger.close()


class _Desk:
    """An actor: a process of the cluster that holds the model."""

    def __init__(self, plan: dict[str, Any], *, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        self._batch = Batch.from_dict(plan)
        self._model: Predictor | None = None

    def predict(self, job: SlideJob, files: list[Any]) -> Outcome:
        # not given when it is made: Ray warns that it might not be made again after such an object is lost
        self._model = self._model or _fetch_model(files[0])
        return predict_job(self._model, job, self._batch)


def _fetch_model(reference: Any) -> Predictor:
    import ray  # noqa: PLC0415  an extra

    with tempfile.TemporaryDirectory(prefix="mclstexp-") as folder:
        for name, content in ray.get(reference).items():
            (Path(folder) / name).write_bytes(content)
        return read_model(folder)


def _outcomes(ray: Any, desks: list[Any], waiting: deque[SlideJob], ledger: Ledger, *, files: Any) -> Iterator[Outcome]:
    """Give each desk a slide, and the next one when it is done."""
    idle, busy = list(desks), dict[Any, tuple[Any, SlideJob]]()
    while waiting or busy:
        while idle and waiting:
            desk, job = idle.pop(), waiting.popleft()
            ledger.begun(job)
            # one slide at a time: a death counts against the slide that was worked on, and no other
            busy[desk.predict.remote(_anchored_job(job), [files])] = (desk, job)
        (ready,), _ = ray.wait(list(busy), num_returns=1)
        desk, job = busy.pop(ready)
        idle.append(desk)
        try:
            outcome = ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            outcome = failed(job, f"unexpected error ({type(error.cause).__name__}: {error.cause})")
        except ray.exceptions.RayError as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]  # pages of advice follow
            outcome = failed(job, f"its process on the cluster was lost, {_RETRIES + 1} times ({said})")
        yield replace(outcome, slide=job.source)  # as it was given


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Join a cluster, or start one on this machine; leaves it afterwards unless the caller had joined it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: PLC0415  an extra
    except ImportError as error:
        msg = "Ray expected for a cluster, found none: pip install 'mclstexp[ray]'"
        raise InputError(msg) from error
    joined = ray.is_initialized()
    if not joined:
        try:
            _knock(address)
            with _sigterm_kept():
                ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            msg = f"a Ray cluster expected at {address or 'this machine'}, found none ({reason}): check the address"
            raise InputError(msg) from error
    try:
        yield ray
    finally:
        if not joined:
            ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Keep a handler of SIGTERM, if there is one: Ray would put its own in the place, which leaves without a word."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _knock(address: str | None) -> None:
    """Ask whether anything listens at HOST:PORT: Ray itself would try for minutes."""
    found = re.fullmatch(r"(?:ray://)?([^/:]+):(\d+)", address or "")
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


def _resources(found: Mapping[str, float], *, cpus_each: int) -> tuple[dict[str, Any], int]:
    """Return what an actor asks of a cluster with such resources, and how many of them it has room for."""
    cpus, gpus = int(found.get("CPU", 1)), int(found.get("GPU", 0))
    if gpus:
        return {"num_gpus": 1, "num_cpus": max(1, min(cpus_each, cpus // gpus))}, gpus
    each = max(1, min(cpus_each, cpus))
    return {"num_cpus": each}, max(1, cpus // each)


def _anchored(batch: Batch) -> Batch:
    """Spell paths in full: actors have working folders of their own."""
    mask = batch.settings.mask
    settings = replace(batch.settings, mask=None if mask is None else _in_full(mask))
    return replace(batch, run=_in_full(batch.run), out=_in_full(batch.out), settings=settings, jobs=())


def _anchored_job(job: SlideJob) -> SlideJob:
    return replace(job, source=_in_full(job.source), mask=None if job.mask is None else _in_full(job.mask))


def _in_full(url: str) -> str:
    place = Place(url)
    return str(place.path.absolute()) if place.is_local else place.url
