"""Slides dealt out on a Ray cluster: to actors that take one at a time, whatever it is that they do with it."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from mclstexp.core.errors import InputError
from mclstexp.whole_slide.manifest import SlideJob
from mclstexp.whole_slide.places import Place

RETRIES: Final = 2
"""How often a slide is tried again whose process or machine was lost; what was done of it is not done again."""


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Join a Ray cluster, or start one on this machine; leaves it afterwards unless the caller had joined it.

    Raises
    ------
    InputError
        If Ray is not installed or the cluster cannot be reached.
    """
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


def resources(found: Mapping[str, float], *, cpus_each: int) -> tuple[dict[str, Any], int]:
    """Return what an actor asks of a cluster with such resources, and how many of them it has room for."""
    cpus, gpus = int(found.get("CPU", 1)), int(found.get("GPU", 0))
    if gpus:
        return {"num_gpus": 1, "num_cpus": max(1, min(cpus_each, cpus // gpus))}, gpus
    each = max(1, min(cpus_each, cpus))
    return {"num_cpus": each}, max(1, cpus // each)


def dealt(
    ray: Any,
    desks: list[Any],
    waiting: deque[SlideJob],
    *,
    ask: Callable[[Any, SlideJob], Any],
    begun: Callable[[SlideJob], None] = lambda job: None,  # noqa: ARG005
) -> Iterator[tuple[SlideJob, Any, str]]:
    """Give each actor a slide, and the next one when it is done.

    Parameters
    ----------
    ray
        The library, joined to a cluster.
    desks
        Actors.
    waiting
        Slides; none is left.
    ask
        Asks an actor for one, and returns Ray's reference to the answer.
    begun
        Hears of each that is given out.

    Yields
    ------
    A slide and its answer as they come; or None and, in a line, why there is none.
    """
    idle, busy = list(desks), dict[Any, tuple[Any, SlideJob]]()
    while waiting or busy:
        while idle and waiting:
            desk, job = idle.pop(), waiting.popleft()
            begun(job)
            # one slide at a time: a death counts against the slide that was worked on, and no other
            busy[ask(desk, job)] = (desk, job)
        (ready,), _ = ray.wait(list(busy), num_returns=1)
        desk, job = busy.pop(ready)
        idle.append(desk)
        try:
            answer, reason = ray.get(ready), ""
        except ray.exceptions.RayTaskError as error:
            answer, reason = None, f"unexpected error ({type(error.cause).__name__}: {error.cause})"
        except ray.exceptions.RayError as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]  # pages of advice follow
            answer, reason = None, f"its process on the cluster was lost, {RETRIES + 1} times ({said})"
        yield job, answer, reason


def in_full(url: str) -> str:
    """Spell a path in full: actors have working folders of their own."""
    place = Place(url)
    return str(place.path.absolute()) if place.is_local else place.url


def in_full_job(job: SlideJob) -> SlideJob:
    """Spell a slide's paths in full."""
    return replace(job, source=in_full(job.source), mask=None if job.mask is None else in_full(job.mask))


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
