"""`calibrate`: intervals for a model's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, data_config
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@app.command
def calibrate(
    run: Path,
    data: Path,
    /,
    *,
    out: Path,
    level: float = 0.8,
    reading: Reading = Reading(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Learn how far off a model's values may be, by fitting its method anew with each individual left out.

    Parameters
    ----------
    run
        Folder of a fitted model.
    data
        The sections it was fitted on, or others like them.
    out
        File (.json) for the intervals; `mclstexp predict --intervals` takes it.
    level
        Share of measured values that an interval is meant to hold.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {run} and its sections")
    from mclstexp.api.intervals import calibrate as learn

    found = learn(run, data_config(data, reading), out=out, level=level, overwrite=overwrite)
    say(f"intervals of {len(found.widths)} genes, meant to hold {level:.0%} of the values of {found.scope}: {out}")
