"""Keeping the books of many slides: what is done already, what failed and why, how long it took."""

from __future__ import annotations

import dataclasses
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import pandas as pd

from mclstexp._version import __version__
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.io.atomic import sweep
from mclstexp.io.working import working_folder
from mclstexp.whole_slide.batch import Batch, Outcome
from mclstexp.whole_slide.manifest import RUN, SlideJob
from mclstexp.whole_slide.one import check_genes
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.records import FOLDER, Record, is_current, read_record
from mclstexp.whole_slide.stream import model_key

_FAILED: Final = ("name", "slide", "reason")
_SUMMARY: Final = (
    *("name", "slide", "state", "tiles", "unreadable", "tissue_mm2", "seconds", "tiles_per_second", "reason"),
)


@dataclass(frozen=True)
class SlideEvent:
    """Something that happened while many slides are predicted."""

    state: Literal["planned", "begun", "tiles", "done", "failed"]
    """"planned" comes once, first, and speaks of slides; "tiles" speaks of one slide's tiles;"""
    slide: str = ""
    """Name of the slide."""
    n_done: int = 0
    """Slides that an earlier run had done, or tiles so far."""
    n_total: int = 0
    """Slides, or tiles, in all."""
    reason: str = ""
    """Why it failed, or what the user should know of it."""


OnEvent = Callable[[SlideEvent], None]


@final
class Ledger:
    """The books of one batch, kept in its folder of results as things happen.

    ``run.json`` says which model and settings the folder belongs to; ``failed.csv`` has a line for each slide that
    failed and has not succeeded since; ``summary.csv`` a line for each slide; ``.done`` says what each finished slide
    was made of, so that one that has changed since is made again. A part of the slides has tables of its own
    (``failed.2of8.csv``). Safe to use from several threads.

    Parameters
    ----------
    batch
        What is predicted.
    on_event
        Is told what happens.
    """

    def __init__(self, batch: Batch, *, on_event: OnEvent | None = None) -> None:
        self._batch, self._on_event, self._lock = batch, on_event, threading.Lock()
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._failures: dict[str, dict[str, str]] = {}

    def open(self, model: Predictor) -> list[SlideJob]:
        """Make sure that the folder belongs to this model and these settings, and return what is left to do.

        Raises
        ------
        InputError
            If it does not and must not be overwritten, cannot be written to, or is the folder of the slides; or the
            model does not predict a gene that is to be drawn.
        """
        batch, jobs = self._batch, self._batch.mine
        _check_apart(batch)
        check_genes(model, batch.settings)
        key = model_key(model)
        with self._turn():
            there = self._own_folder(
                {"model": key, "method": model.name, "settings": dataclasses.asdict(batch.settings)}
            )
        for name in ("summary", "failed"):
            if self._table(name).is_folder():  # somebody's: a table is a file
                self._table(name).set_aside()
        earlier = _read_table(self._table("summary"))
        self._failures = _read_table(self._table("failed"))
        done = set() if batch.overwrite else self._still_good([job for job in jobs if job.name in there], model=key)
        for job in jobs:
            if job.name in done:
                known = earlier.get(job.name, {})
                self._outcomes[job.name] = {**known, "name": job.name, "slide": job.source, "state": "skipped"}
                self._failures.pop(job.name, None)
        self._write_failures()
        self._say(SlideEvent("planned", n_done=len(self._outcomes), n_total=len(jobs)))
        return [job for job in jobs if job.name not in done]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep others from this part of the slides at the same time.

        Raises
        ------
        InputError
            If another run is at it, or the folder cannot be written to.
        """
        place, name = self._batch.place, f".slides{self._batch.label}.partial"
        if place.is_local:
            with working_folder(place.path / name, doing="a prediction"):
                for folder in (place.path, place.path / FOLDER):  # what is finished is not written again
                    sweep(folder)
                yield
        else:  # a store knows no locks
            yield

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let the parts of one batch open its folder one after the other."""
        if self._batch.place.is_local:
            with working_folder(self._batch.place.path / ".opening.partial", doing="a prediction", wait_s=60):
                yield
        else:
            yield

    def _own_folder(self, content: dict[str, Any]) -> set[str]:
        """Make the folder that of a model and settings, and return the names of the slides with a result there."""
        batch = self._batch
        present = batch.place.names()
        there = {job.name for job in batch.jobs if self._is_there(job, present)}
        if not _same(batch.place.join(RUN), content):
            if (there or RUN in present) and not batch.overwrite:
                msg = (
                    f"predictions of the same model with the same settings expected in {batch.place}, found others: "
                    f"choose another folder or give {word('overwrite')}"
                )
                raise InputError(msg)
            for job in batch.jobs:  # all, or another model's would be taken for this one's after an interruption
                if job.name in there:
                    self._record(job.name).remove()
                    self._result(job).remove()
            there = set()
            batch.place.join(RUN).write(json.dumps({**content, "mclstexp": __version__}, indent=1) + "\n")
        return there

    def _still_good(self, jobs: list[SlideJob], *, model: str) -> set[str]:
        """Return the slides whose results are those that would be made now, whole."""

        def is_good(job: SlideJob) -> bool:
            record = read_record(self._record(job.name))
            return is_current(record, self._result(job), model=model, job=job, settings=self._batch.settings)

        with ThreadPoolExecutor(8) as pool:  # hashing waits for the disk
            return {job.name for job, good in zip(jobs, pool.map(is_good, jobs), strict=True) if good}

    def begun(self, job: SlideJob) -> None:
        """Note that a slide is being worked on."""
        self._say(SlideEvent("begun", job.name))

    def tiles(self, job: SlideJob, done: int, total: int) -> None:
        """Note how far a slide is."""
        self._say(SlideEvent("tiles", job.name, done, total))

    def add(self, outcome: Outcome) -> None:
        """Note what became of a slide, on disk as well."""
        row = dataclasses.asdict(outcome)
        if outcome.tiles is not None and outcome.seconds:
            row["tiles_per_second"] = (outcome.tiles - (outcome.resumed or 0)) / outcome.seconds
        with self._lock:
            self._outcomes[outcome.name] = row
            if outcome.state == "failed":
                self._failures[outcome.name] = {name: str(row[name]) for name in _FAILED}
            else:
                self._failures.pop(outcome.name, None)
            self._write_failures()
            self._table("summary").write(self.table().to_csv(index=False))
        self._keep_record(outcome)  # last: a slide with one is passed over from now on, and its line must be there
        self._say(SlideEvent("failed" if outcome.state == "failed" else "done", outcome.name, reason=outcome.reason))

    def table(self) -> pd.DataFrame:
        """Return a row for each slide that something is known of, in the order given."""
        rows = [self._outcomes[job.name] for job in self._batch.mine if job.name in self._outcomes]
        table = pd.DataFrame(rows, columns=list(_SUMMARY))
        for name in ("tiles", "unreadable"):
            table[name] = _numbers(table[name]).round().astype("Int64")
        for name in ("tissue_mm2", "seconds", "tiles_per_second"):
            table[name] = _numbers(table[name]).round(4)
        table["reason"] = table["reason"].fillna("")
        return table

    def close(self) -> pd.DataFrame:
        """Write the summary and return it."""
        table = self.table()
        self._table("summary").write(table.to_csv(index=False))
        return table

    def _is_there(self, job: SlideJob, present: set[str]) -> bool:
        place = self._result(job)
        # of a store's trees a listing tells only that they were begun
        return place.name in present and (self._batch.suffix != ".zarr" or place.is_whole())

    def _keep_record(self, outcome: Outcome) -> None:
        result = self._batch.place.join(f"{outcome.name}{self._batch.suffix}")
        stamp = result.stamp() if outcome.state == "done" and outcome.key else None
        if stamp is not None:
            Record(outcome.key, stamp).write(self._record(outcome.name))

    def _record(self, name: str) -> Place:
        return self._batch.place.join(FOLDER).join(f"{name}.json")

    def _result(self, job: SlideJob) -> Place:
        return self._batch.place.join(f"{job.name}{self._batch.suffix}")

    def _table(self, name: str) -> Place:
        return self._batch.place.join(f"{name}{self._batch.label}.csv")

    def _write_failures(self) -> None:
        if self._failures:
            table = pd.DataFrame(list(self._failures.values()), columns=list(_FAILED))
            self._table("failed").write(table.to_csv(index=False))
        else:
            self._table("failed").remove()

    def _say(self, event: SlideEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)


def _same(place: Place, content: dict[str, Any]) -> bool:
    """Whether a folder's ``run.json`` is that of this model and these settings."""
    try:
        found = json.loads(place.read() or b"{}")
    except Exception:  # noqa: BLE001  whatever a damaged record raises
        return False
    plain = json.loads(json.dumps(content))
    return isinstance(found, dict) and {name: found.get(name) for name in plain} == plain


def _read_table(place: Place) -> dict[str, dict[str, Any]]:
    """Read a table that an earlier run left, by name of slide; one that is damaged is as good as none."""
    content = place.read()
    if content is None:
        return {}
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        rows = table.astype(object).where(table != "", None).to_dict("records")
        return {str(row["name"]): {str(name): value for name, value in row.items()} for row in rows}
    except Exception:  # noqa: BLE001  whatever a damaged table raises
        return {}


def _numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers; what somebody has put into a cell that is none is not known."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    return numbers.where(numbers.abs() < 2**53)


def _check_apart(batch: Batch) -> None:
    """Refuse the folder of the slides: a slide NAME.png would be replaced by the picture of its prediction."""
    for job in batch.jobs:
        folder = Place(job.source).parent
        same = folder.url == batch.place.url.rstrip("/")
        if folder.is_local and batch.place.is_local:
            same = folder.path.resolve() == batch.place.path.resolve()
        if same:
            msg = f"a folder of their own expected for predictions, found that of the slide {job.source}: name another"
            raise InputError(msg)
