"""The commands: each reads its flags, calls one public function and prints what it returned.

Imports stand inside: help must not wait for torch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Learning, Method, Origin, Reading, Tile, fit_config
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step


@app.command
def demo(
    *,
    out: Path,
    seed: int = 0,
    cohort: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show the whole way on made-up tissue: sections, methods, scores, a report, a model and what it predicts.

    Parameters
    ----------
    out
        Folder for the results.
    seed
        Start of the random numbers.
    cohort
        Go on to patients: slides of 60 others, their expression, and what becomes of them, command by command; run it
        again to go on after an interruption.
    overwrite
        Replace an earlier demo.
    """
    if cohort:
        from mclstexp.cli.cohort_way import go_the_way

        return go_the_way(out, seed=seed)
    step("Loading what the demo needs")
    from mclstexp.demo import run_demo

    run_demo(out, seed=seed, overwrite=overwrite)
    return 0


@app.command
def fit(
    method: str,
    data: Path,
    /,
    *,
    out: Path,
    learning: Learning = Learning(),  # noqa: B008  frozen, as the two below
    tile: Tile = Tile(),  # noqa: B008
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit a method on measured sections and save the model; run it again to go on after an interruption.

    Parameters
    ----------
    method
        Name of the method; `mclstexp list` shows them.
    data
        File or folder with the training sections.
    out
        Folder for the model.
    overwrite
        Replace a model that is already there.
    """
    step(f"Reading {data} for {method}")
    from mclstexp.api import fit_model
    from mclstexp.cli.terminal import warn
    from mclstexp.core.display import plural

    config = fit_config(method, data, options=learning.options, tile=tile, reading=reading, imputed=learning.imputed)
    if learning.verdicts is not None:
        config = replace(config, verdicts=str(learning.verdicts))
    model = fit_model(method, config, out=out, overwrite=overwrite, on_warning=warn)
    sections = plural(len(model.provenance_["sections"]), "section")
    beside = model.provenance_.get("imputed")
    if beside is not None:
        say(f"{len(beside['genes'])} genes imputed by {beside['method']}, from {beside['n_cells']} cells")
    say(f"{method} learnt {plural(len(model.genes_), 'gene')} from {sections}: {out}")
    say(f"next: mclstexp predict {out} NEW --out prediction.h5ad")


@app.command
def evaluate(
    config: Path, /, *, out: Path, jobs: int = 1, overwrite: Annotated[bool, Parameter(negative="")] = False
) -> None:
    """Compare methods on held-out sections as an experiment file says; run it again to go on after an interruption.

    Parameters
    ----------
    config
        Experiment file (.toml).
    out
        Folder for scores.parquet, tables (summary.md, .tex, .csv), comparison.csv, figures, predictions and
        experiment.json.
    jobs
        Methods judged at once, each in a process of its own.
    overwrite
        Replace results that are already there.
    """
    step(f"Reading what {config} asks for")
    from mclstexp.api import run_experiment
    from mclstexp.cli.cohort import print_outcome
    from mclstexp.cli.terminal import task_progress, warn
    from mclstexp.evaluation.experiment import read_experiment
    from mclstexp.evaluation.summary import headline
    from mclstexp.evaluation.tables import brief_rows

    experiment = read_experiment(config)
    with task_progress("judging") as on_event:
        summary = run_experiment(
            experiment, out=out, overwrite=overwrite, jobs=jobs, on_event=on_event, on_warning=warn
        )
    if getattr(experiment, "task", "") == "outcome":
        print_outcome(summary, out, title=experiment.title or config.stem)
        return
    heading, rows = brief_rows(summary)
    print_table(rows, heading=heading, title=experiment.title or config.stem)
    for sentence in headline(summary):
        say(sentence)
    say(f"results: {out}; all columns: {out / 'summary.md'}")
    say(f"next: mclstexp report {out} --out report.html")


@app.command
def check(
    method: Path,
    /,
    *,
    option: Annotated[list[str] | None, Parameter(negative="", show_default=False)] = None,
) -> int:
    """Put a method of one's own to the tests every method here must pass; exit code 1 if it fails one.

    Parameters
    ----------
    method
        Python file with one @register-ed class, or the name of a known method; of another question than images
        imputation.NAME, enhancement.NAME, domains.NAME, generation.NAME or cohort.NAME.
    option
        Option of the method as NAME=VALUE, any number of times: small ones make it quick.
    """
    step(f"Putting {method} to the tests")
    from mclstexp.api import check_method

    results = check_method(str(method), option or [])
    rows = [[result.name, "passed" if result.passed else "FAILED"] for result in results]
    print_table(rows, heading=["promise", ""], title=str(method))
    failed = [result for result in results if not result.passed]
    for result in failed:
        say(f"FAILED: {result.name} But {result.reason}")
    say(f"{len(results) - len(failed)} of {len(results)} checks passed")
    return 1 if failed else 0


@app.command
def info(run: Path, /) -> None:
    """Say what a fitted model is.

    Parameters
    ----------
    run
        Folder of the model.
    """
    from mclstexp.api import model_info

    print_table([[name, str(value)] for name, value in model_info(run).items()], title=str(run))


@app.command(name="list")
def list_(method: str | None = None, /) -> None:
    """List the methods by what they answer, or the options of one.

    Parameters
    ----------
    method
        The method whose options are listed; imputation.NAME, enhancement.NAME, domains.NAME, generation.NAME or
        cohort.NAME where methods of two questions share a name, as mean.
    """
    from mclstexp.core.options import describe_options
    from mclstexp.core.rooms import ROOMS, room_of
    from mclstexp.core.wording import unmarked

    if method is None:
        for room in ROOMS:
            methods, title = room.methods(), room.question or "image → expression"
            lines = [[name, unmarked((cls.__doc__ or "").partition("\n")[0])] for name, cls in methods.items()]
            print_table(lines, heading=["method", "what it does"], title=title)
        return
    room, name = room_of(method)
    cls = room.method_class(name)
    options = describe_options(cls)
    rows = [
        [option.name, f"{unmarked(' '.join(option.text.split()))} ({option.type}, default {option.default!r})"]
        for option in options
    ]
    if rows:
        print_table(rows, heading=["option", "what it does (type, default)"], title=f"Options of {method}")
    else:
        say(f"{method} has no options")
    for name, preset in cls.presets.items():
        say(f"--preset {name}: {', '.join(f'{option}={value}' for option, value in preset.items())}")


@app.command
def download(name: str, /, *, out: Path, samples: str | None = None, base_url: str | None = None) -> None:
    """Fetch a public data set; what is there already and whole is not fetched again.

    Parameters
    ----------
    name
        her2st, cscc or hest.
    out
        Folder for the data.
    samples
        For hest: which samples, as TENX99,TENX95.
    base_url
        Where a mirror of the data set lies.
    """
    from mclstexp.io.download import download as fetch

    say(str(fetch(name, out, samples=samples or "", base_url=base_url)))


@app.command
def import_checkpoint(
    checkpoint: Path,
    data: Path,
    /,
    *,
    out: Path,
    origin: Origin,
    tile: Tile = Tile(),  # noqa: B008  frozen, as the next
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Make a model of a checkpoint (.pt) of a published method's code and the sections it was trained on.

    Parameters
    ----------
    checkpoint
        The file that the published training script wrote.
    data
        The sections it was trained on; a method that retrieves predicts means of their spots.
    out
        Folder for the model.
    overwrite
        Replace a model that is already there.
    """
    from mclstexp import api

    method = Method(option=origin.option, genes=origin.genes)
    config = fit_config(origin.method, data, options=method, tile=tile, reading=reading)
    api.import_checkpoint(checkpoint, origin.method, config, out=out, overwrite=overwrite)
    say(f"imported: {out}")
