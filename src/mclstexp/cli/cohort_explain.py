"""`cohort explain`: which tiles of a slide speak for what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.cohort import Patients, cohort, cohort_config
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@cohort.command
def explain(
    model: Path,
    features: Path,
    /,
    *,
    out: Path,
    table: Path | None = None,
    image: Path | None = None,
    patients: Patients = Patients(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say what each tile of a slide adds to its patient's risk, for `mclstexp view` to show over the slide.

    Parameters
    ----------
    model
        Folder of a fitted model that looks at tiles.
    features
        The slide's file of tile features, as `cohort features` writes it; named after the slide.
    out
        File to write (.h5ad): for each tile "risk contribution", "attention" of a network that has one, and how likely
        it is of each prototype.
    table
        Table of the patients, for a model that looks at more than tiles; with --features all slides of the patient
        count. By default the slide is a patient of its own.
    image
        The slide, where its features do not say its scale.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {model} and {features}")
    from mclstexp.api.tile_values import explain_slide
    from mclstexp.core import keys

    whose = None if table is None else replace(cohort_config(table, patients), outcome="")
    said = explain_slide(model, features, cohort=whose, image=image, out=out, overwrite=overwrite)
    told = said.uns[keys.PROVENANCE]
    parts = ""
    if told["adds_up"]:
        parts = f": {told['risk_of_tiles']:+.3f} of tiles, {told['risk_elsewhere']:+.3f} of all else"
    say(f"{said.n_obs} tiles, {told['method']}; risk {told['risk']:+.3f} ({told['unit']}){parts}")
    for sentence in told["says"]:
        say(sentence)
    say(f"look at it: mclstexp view SLIDE {out}")
