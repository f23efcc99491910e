"""`adapt`: a model recalibrated on a measured corner of a new slide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, data_config
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@app.command
def adapt(
    run: Path,
    section: Path,
    /,
    *,
    out: Path,
    spots: str | None = None,
    reading: Reading = Reading(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Recalibrate a model on a few measured spots of a new slide; docs/adapt.md says what that is worth.

    Parameters
    ----------
    run
        Folder of a fitted model.
    section
        The measured section, or the corner of it.
    out
        Folder for the adapted model.
    spots
        Which spots are learnt from: a file with one name a line, or names as 10x12,10x13; all by default.
    overwrite
        Replace a model that is already there.
    """
    step(f"Reading {run} and {section}")
    from mclstexp.api.adaptation import adapt_file

    adapted = adapt_file(run, data_config(section, reading), out=out, spots=spots, overwrite=overwrite)
    said = adapted.provenance_["adapted"]
    say(f"{adapted.name} adapted on {len(said['spots'])} spots of {said['section']}: {out}")
    say(f"next: mclstexp predict {out} SLIDE --out prediction.h5ad")
