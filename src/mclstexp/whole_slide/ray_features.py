"""Features of slides on a Ray cluster: actors that hold the encoder; the same files as on one machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mclstexp.sight.embed import frozen_encoder
from mclstexp.whole_slide.desks import RETRIES, cluster, dealt, in_full_job, resources
from mclstexp.whole_slide.features import Embedded, Embedding, Spread, embed_job
from mclstexp.whole_slide.manifest import SlideJob


def on_ray(*, address: str | None = None, n_actors: int | None = None, cpus_each: int = 4) -> Spread:
    """Return what spreads slides over a Ray cluster, for `mclstexp.whole_slide.features.embed_slides`.

    Slides and files must lie where every machine finds them: slides in an object store or on a disk that all share,
    files on such a disk. Tiles that were embedded before a process was lost lie in its machine's cache.

    Parameters
    ----------
    address
        Of the cluster, as ``ray.init`` takes it; by default the one this machine belongs to, or else one of its own.
    n_actors
        Slides at once; by default one per GPU of the cluster, or where it has none, as many as the CPUs allow.
    cpus_each
        CPUs of an actor, where there are no GPUs.
    """

    def spread(jobs: list[SlideJob], out: Path, how: Embedding) -> Iterator[Embedded]:
        with cluster(address) as ray:
            options, room = resources(ray.cluster_resources(), cpus_each=cpus_each)
            actor = ray.remote(max_restarts=-1, max_task_retries=RETRIES, **options)(_Desk)
            n_desks = min(n_actors or room, len(jobs))
            desks = [actor.remote(out.absolute(), how, n_threads=options["num_cpus"]) for _ in range(n_desks)]
            try:
                for job, found, reason in dealt(ray, desks, deque(jobs), ask=_ask):
                    yield Embedded(job.name, " ".join(reason.split()), failed=True) if found is None else found
            finally:
                for desk in desks:
                    ray.kill(desk)

    return spread


class _Desk:
    """An actor: a process of the cluster that embeds one slide after the other."""

    def __init__(self, out: Path, how: Embedding, *, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        self._out, self._how, self._sight = out, how, frozen_encoder(how.encoder)

    def embed(self, job: SlideJob) -> Embedded:
        return embed_job(job, self._out, self._how, self._sight)


def _ask(desk: Any, job: SlideJob) -> Any:
    return desk.embed.remote(in_full_job(job))
