"""`states`: which kind of tissue lies where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, data_config
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step


@app.command
def states(
    run: Path,
    data: Path,
    /,
    *,
    out: Path,
    reading: Reading = Reading(),  # noqa: B008  frozen
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Name the kind of tissue at each place of a section or slide, by the codes of a fitted codebook.

    Parameters
    ----------
    run
        Folder of the model: mclstexp fit codebook DATA --out RUN.
    data
        One measured section, whose counts are not looked at, or a whole slide.
    out
        File to write (.h5ad): tiles, with their states in obs; mclstexp view SLIDE FILE shows it.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {data}")
    from mclstexp.api.states import find_states_file

    found = find_states_file(run, data_config(data, reading), out=out, overwrite=overwrite)
    sizes = found.obs["state"].value_counts(sort=False)
    rows = [[name, str(size), f"{size / found.n_obs:.1%}"] for name, size in sizes.items()]
    print_table(rows, heading=["state", "tiles", "share"], title=f"{data}")
    say(str(out))
