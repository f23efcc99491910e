"""What options are called: on the command line, in an experiment file and in Python.

A message that names an option names it by `word`, so that advice can be followed where it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

Door = Literal["command", "file", "python"]
"""The command line, an experiment file (TOML), Python."""


@dataclass(frozen=True)
class Option:
    """What an option is called at each door; None where the door has no such option."""

    command: str | None
    """Flag of the command line."""
    file: str | None
    """Key of a configuration file, after its table and a dot."""
    python: str | None
    """Argument of Python's functions."""
    switch: bool = False
    """Whether it is on or off, so that naming it is turning it on."""


OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        # how sections are read
        "format": Option("--format", "data.format", "format"),
        "image": Option("--image", "data.image", "image"),
        "mpp": Option("--slide-mpp", "data.mpp", "mpp"),
        "sections": Option("--sections", "data.sections", "sections"),
        "patients": Option("--patients", "data.patients", "patients"),
        "table": Option("--table", "data.table", "table"),
        "coordinate_system": Option("--coordinate-system", "data.coordinate_system", "coordinate_system"),
        "bin_um": Option("--bin-um", "data.bin_um", "bin_um"),
        "pitch_um": Option("--pitch-um", "data.pitch_um", "pitch_um"),
        "alignment": Option("--alignment", "data.alignment", "alignment"),
        "pool_um": Option("--pool-um", "data.pool_um", "pool_um"),
        "lattice": Option("--lattice", "data.lattice", "lattice"),
        "min_counts": Option("--min-counts", "data.min_counts", "min_counts"),
        "tile_mpp": Option("--mpp", "tile.mpp", "mpp"),
        "tile_size_px": Option("--size-px", "tile.size_px", "size_px"),
        # how methods are chosen and compared
        "preset": Option("--preset", "preset", "preset"),
        "genes": Option("--genes", "genes", "genes"),
        "by": Option(None, "folds.by", "by"),
        "min_spots": Option(None, "folds.min_spots", "min_spots"),
        "jobs": Option("--jobs", None, "jobs"),
        "impute_genes": Option("--impute-genes", "impute.genes", "genes"),
        "impute_least": Option("--impute-least", "impute.least", "least"),
        # how whole slides are predicted
        "stride_um": Option("--stride-um", None, "stride_um"),
        "mask": Option("--mask", None, "mask"),
        "mask_frame": Option("--mask-frame", None, "mask_frame"),
        "allow_upsampling": Option("--allow-upsampling", None, "allow_upsampling", switch=True),
        # where results go and where what they were made of lies
        "out": Option("--out", None, "out"),
        "overwrite": Option("--overwrite", None, "overwrite", switch=True),
        "data": Option("--data", None, "data"),
        "spots": Option("--spots", None, "spots"),
        "to": Option("--to", None, "to"),
        # how spots are put where they belong
        "landmarks": Option("--landmarks", None, "landmarks"),
        # what becomes of patients
        "verdicts": Option("--verdicts", "verdicts", "verdicts"),
        "allow_overlap": Option("--allow-overlap", "data.allow_overlap", "allow_overlap", switch=True),
        # what lies between spots
        "factor": Option("--factor", None, "factor"),
        # what becomes of patients
        "outcome": Option("--outcome", "data.outcome", "outcome"),
        "cohort": Option("--table", None, "cohort"),
        "unit": Option("--unit", "data.unit", "unit"),
        "zero_time": Option("--zero-time", "data.zero_time", "zero_time"),
        # which regions there are
        "n_domains": Option("--n-domains", None, "n_domains"),
    }
)
"""The options that messages name, by the name they have in the code."""

_doors: ContextVar[tuple[Door, ...]] = ContextVar("doors", default=("python",))


@contextmanager
def through(door: Door) -> Iterator[None]:
    """Say which door the calls within came through; a file is read within one of the other two."""
    token = _doors.set((*_doors.get(), door) if door == "file" else (door,))
    try:
        yield
    finally:
        _doors.reset(token)


def outer_door() -> Door:
    """Return the door that a process started from here is to be told: the command line or Python."""
    return _doors.get()[0]


def word(option: str, value: Any = None) -> str:
    """Return what an option is called at the door in use.

    Parameters
    ----------
    option
        A name of `OPTIONS`.
    value
        What it is to be set to, where the message says it.

    Returns
    -------
    ``--slide-mpp`` on the command line, ``mpp in [data]`` of a file, ``mpp=`` in Python; with the value 0.5
    ``--slide-mpp 0.5``, ``mpp = 0.5 in [data]``, ``mpp=0.5``.
    """
    return _written(OPTIONS[option], value)


def method_option(name: str, value: Any) -> str:
    """Return how a method's own option is set at the door in use."""
    return _written(Option(f"--option {name}=", name, name), value)


def _written(option: Option, value: Any) -> str:
    # a file says less than a command line: where results go is a flag of the command that reads it
    named = [(door, name) for door in (*reversed(_doors.get()), "file") if (name := getattr(option, door))]
    door, name = named[0] if named else ("python", str(option.python))
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    if door == "python":
        return f"{name}={'True' if option.switch else text}"
    if door == "command":
        text = value if isinstance(value, str) else text
        return f"{name} {text}" if text and not name.endswith("=") else f"{name}{text}"
    table, _, key = name.rpartition(".")
    return (f"{key} = {text}" if text else key) + (f" in [{table}]" if table else "")
