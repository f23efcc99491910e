"""Many slides on a Ray cluster: actors that hold the model; the same slides, books and results as on one machine."""

from __future__ import annotations

import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mclstexp.core.predictor import Predictor
from mclstexp.whole_slide.batch import Batch, Outcome, failed, predict_job, read_model
from mclstexp.whole_slide.desks import RETRIES, cluster, dealt, in_full, in_full_job, resources
from mclstexp.whole_slide.ledger import Ledger, OnEvent
from mclstexp.whole_slide.manifest import SlideJob


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
    with cluster(address) as ray, ledger.at_work():
        waiting = deque(ledger.open(model))
        options, room = resources(ray.cluster_resources(), cpus_each=cpus_each)
        actor = ray.remote(max_restarts=-1, max_task_retries=RETRIES, **options)(_Desk)
        files = ray.put({path.name: path.read_bytes() for path in Path(batch.run).iterdir() if path.is_file()})
        plan, n_actors = _anchored(batch).to_dict(), min(n_actors or room, len(waiting))
        desks = [actor.remote(plan, n_threads=options["num_cpus"]) for _ in range(n_actors)]
        try:

            def ask(desk: Any, job: SlideJob) -> Any:
                return desk.predict.remote(in_full_job(job), [files])

            for job, outcome, reason in dealt(ray, desks, waiting, ask=ask, begun=ledger.begun):
                found = failed(job, reason) if outcome is None else outcome
                ledger.add(replace(found, slide=job.source))  # as it was given
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


def _anchored(batch: Batch) -> Batch:
    """Spell paths in full: actors have working folders of their own."""
    mask = batch.settings.mask
    settings = replace(batch.settings, mask=None if mask is None else in_full(mask))
    return replace(batch, run=in_full(batch.run), out=in_full(batch.out), settings=settings, jobs=())
