"""Public functions behind the commands: each command calls one of these.

Long because the commands are many: the functions are short, and only put together what lies in the rooms below.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.options import options_from_text
from mclstexp.core.predictor import Predictor, hash_section, options
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.evaluation.config import DataConfig, FitConfig, make_method
from mclstexp.evaluation.conformance import Result, run_checks
from mclstexp.evaluation.experiment import Experiment
from mclstexp.evaluation.results import SCORES, write_results
from mclstexp.evaluation.run_plan import Plan
from mclstexp.evaluation.runner import OnEvent, run_plan
from mclstexp.evaluation.toml import read_genes
from mclstexp.io import models
from mclstexp.io.atomic import atomic_path
from mclstexp.io.checks import check_section, describe_section
from mclstexp.io.predictions import write_prediction
from mclstexp.io.provenance import code_version
from mclstexp.io.read import READERS
from mclstexp.io.targets import require_free
from mclstexp.io.tile_folder import read_tiles
from mclstexp.methods import list_methods, load_method_file, method_class
from mclstexp.training.distributed import process_group, rank

_IMAGES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".btf")
_SLIDES: Final = (*_IMAGES, ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm")


def load_model(folder: Path | str) -> Predictor:
    """Read a fitted model of any known method; see `mclstexp.io.models.load_model`."""
    return models.load_model(folder, methods=list_methods())


def predict(model: Predictor | Path | str, tiles: Tiles) -> AnnData:
    """Predict expression at tiles, read at the size and scale the model was fitted on; see `Predictor.predict`.

    Parameters
    ----------
    model
        A fitted model, or the folder of a saved one.
    tiles
        Where to look: ``section.tiles``, `read_tiles`, ``Tiles.grid``.

    Raises
    ------
    InputError
        If the model cannot be read or is not fitted, or ready-made tiles are of another size or scale.
    """
    fitted = model if isinstance(model, Predictor) else load_model(model)
    return fitted.predict(tiles.with_spec(fitted.spec_) if fitted.is_fitted else tiles)


def fit_model(method: str, config: FitConfig, *, out: Path | str, overwrite: bool = False) -> Predictor:
    """Fit a method on sections and save it; a fit that was killed goes on where it stopped.

    Checkpoints lie in a hidden folder beside `out` until the model is saved. Under ``torchrun`` the processes train
    together and the first one writes.

    Parameters
    ----------
    method
        A name of `list_methods`.
    config
        Data, tiles, panel and options.
    out
        Folder of the model.
    overwrite
        Whether a model that is already there is replaced.

    Raises
    ------
    InputError
        If an option, the data or the place cannot be used.
    """
    out = Path(out)
    require_free(out, mark=models.DESCRIPTION, what="the model", overwrite=overwrite)
    model = make_method(method, config.options, preset=config.preset)
    sections = config.data.read(config.tile)
    workdir = out.with_name(f".{out.name}.partial")
    with process_group():
        model.fit(sections, space=_space(model, sections, config.genes), workdir=workdir)
        if rank() == 0:
            model.provenance_["code"] = code_version()
            models.save_model(model, out, overwrite=overwrite)
            shutil.rmtree(workdir, ignore_errors=True)
    return model


def _space(model: Predictor, sections: list[Section], genes: str | None) -> ExpressionSpace | None:
    """Put a given panel on the method's own scale."""
    return None if genes is None else replace(model._default_space(sections), genes=tuple(read_genes(genes)))


def import_checkpoint(
    checkpoint: Path | str, method: str, config: FitConfig, *, out: Path | str, overwrite: bool = False
) -> Predictor:
    """Make a model of a checkpoint of a published method's code: its weights, and what it needs of its sections.

    Parameters
    ----------
    checkpoint
        The ``.pt`` of the authors' training script; opened as weights only.
    method
        Whose checkpoint it is: a method with an option ``checkpoint``. Its preset "published" says the sizes.
    config
        The sections and tiles it was trained on, the file of its panel in channel order, and options where it was
        trained with others than the published ones. A method that retrieves takes the sections' spots as its bank.
    out, overwrite
        See `fit_model`.

    Raises
    ------
    InputError
        If the method takes no checkpoint, there is no panel, the checkpoint is none or of another shape, or the data
        or the place cannot be used.
    """
    able = [name for name, cls in list_methods().items() if "checkpoint" in cls.__dataclass_fields__]  # type: ignore[attr-defined]
    if method_class(method).name not in able:
        msg = f"a method that takes checkpoints ({', '.join(able)}) expected, found {method}: name another"
        raise InputError(msg)
    if config.genes is None:
        msg = "the list of genes the checkpoint was trained on, in its order, expected, found none: give genes"
        raise InputError(msg)
    given = {**config.options, "checkpoint": str(checkpoint)}
    return fit_model(method, replace(config, preset="published", options=given), out=out, overwrite=overwrite)


def predict_files(run: Path | str, data: DataConfig, *, out: Path | str) -> list[Path]:
    """Predict every section, or every tile of a folder, and write the predictions.

    Parameters
    ----------
    run
        Folder of a saved model.
    data
        Sections of any known format, or a folder of ready-made tiles (also by ``format="tiles"``).
    out
        A file that ends in ``.h5ad``; or a folder, which then holds one file per section.

    Returns
    -------
    The files written.

    Raises
    ------
    InputError
        If the model or the data cannot be read, or several sections are to go into one file.
    """
    model, out = load_model(run), Path(out)
    queries = dict(_queries(model, data))
    if out.suffix != ".h5ad":
        targets = {name: out / f"{name.replace('/', '_')}.h5ad" for name in queries}
    elif len(queries) == 1:
        targets = dict.fromkeys(queries, out)
    else:
        msg = f"one section expected for the file {out}, found {len(queries)}: give a folder as out"
        raise InputError(msg)
    return [write_prediction(model.predict(tiles), targets[name]) for name, tiles in queries.items()]


def _queries(model: Predictor, data: DataConfig) -> Iterator[tuple[str, Tiles]]:
    path = Path(data.path)
    if data.format == "tiles" or (data.format is None and _holds_tiles(path)):
        tiles = read_tiles(path, spec=model.spec_)
        yield tiles.slide.id, tiles
        return
    if path.is_file() and path.suffix.lower() in _SLIDES and data.format is None:
        msg = (
            f"measured sections or a folder of tile images expected to predict, found a slide ({path}): cut it into "
            f"tiles of {model.spec_.size_px} px at {model.spec_.mpp:g} µm per pixel, or use Tiles.grid in Python"
        )
        raise InputError(msg)
    trained_on = set(model.provenance_["sections"].values())
    for section in data.read(model.spec_):
        if hash_section(section) in trained_on:
            text = f"the model was trained on {section.id}: its prediction there says nothing about new tissue"
            warnings.warn(text, stacklevel=2)
        yield section.id, section.tiles


def _holds_tiles(path: Path) -> bool:
    """Whether a path is a folder of images and nothing else."""
    if not path.is_dir() or any(reader.looks_like(path) for reader in READERS.values()):
        return False
    files = [file for file in path.iterdir() if not file.name.startswith(".")]
    return bool(files) and all(file.suffix.lower() in _IMAGES for file in files)


def run_experiment(
    experiment: Experiment,
    *,
    out: Path | str,
    overwrite: bool = False,
    jobs: int = 1,
    on_event: OnEvent | None = None,
) -> pd.DataFrame:
    """Run a comparison of methods and write its results; one that was killed goes on where it stopped.

    Finished parts (a method on a fold) lie in a hidden folder beside `out` until all are there.

    Parameters
    ----------
    experiment
        What is compared; see `read_experiment`.
    out
        Folder for scores, summaries, comparisons, predictions, figures and ``experiment.json``.
    overwrite
        Whether results that are already there are replaced.
    jobs
        Methods judged at once, each in its own process.
    on_event
        Called with (label, fold, "begun", "done" or "died") as the run goes.

    Returns
    -------
    The summary, a table with one row per method.

    Raises
    ------
    InputError
        If data, methods or the place cannot be used.
    """
    out = Path(out)
    if jobs < 1:
        msg = f"a number of jobs of at least 1 expected, found {jobs}"
        raise InputError(msg)
    require_free(out, mark=SCORES, what="the results", overwrite=overwrite)
    plan = Plan(experiment, out.with_name(f".{out.name}.partial"))
    scores = run_plan(plan, jobs=jobs, on_event=on_event)
    record = {
        "experiment": asdict(experiment),
        "methods": {label: {"method": method.name, **options(method)} for label, method in plan.methods.items()},
        "folds": {
            name: {"by": fold.by, "train": [s.id for s in fold.train], "test": [s.id for s in fold.test]}
            for name, fold in plan.folds.items()
        },
        "sections": {section.id: hash_section(section) for section in plan.sections},
        "images": {section.id: section.tiles.slide.fingerprint() for section in plan.sections},
        "patients": {section.id: section.patient for section in plan.sections},
        "code": plan.code,
    }
    with atomic_path(out) as path:
        summary = write_results(scores, path, record=record, run_folder=plan.folder)
        _draw_scores(scores, summary, path / "figures")
    shutil.rmtree(plan.folder, ignore_errors=True)
    return summary


def _draw_scores(scores: pd.DataFrame, summary: pd.DataFrame, folder: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it

    from mclstexp.plotting.figures import draw_figures  # noqa: PLC0415

    folder.mkdir()
    for name, figure in draw_figures(scores, summary).items():
        for ending in ("png", "pdf"):
            figure.savefig(folder / f"{name}.{ending}", dpi=200)
        plt.close(figure)


def check_method(method: str, option: Sequence[str] = ()) -> list[Result]:
    """Put a method to the checks that every method here must pass, on small made-up sections.

    Parameters
    ----------
    method
        A Python file with one ``@register``ed class, or a name of `list_methods`.
    option
        Its options as ``name=value``. An image encoder, where it has one and none is given, is a small random one.

    Raises
    ------
    InputError
        If the file or an option cannot be used.
    """
    name = load_method_file(method) if method.endswith(".py") else method
    cls = method_class(name)
    given = options_from_text(cls, option, where=f"method {name}")
    common = {"encoder": "random:test_efficientnet"}
    return run_checks(lambda: make_method(name, given, common=common))


def validate(
    data: DataConfig,
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    out: Path | str | None = None,
) -> list[tuple[dict[str, Any], list[str]]]:
    """Read sections and say what they are and what is likely wrong with them.

    Parameters
    ----------
    data
        The sections.
    tile
        Size and scale of the tiles they are meant for.
    out
        Folder for a picture of each section with its spots; none by default.

    Returns
    -------
    For each section its description and the sentences about it.

    Raises
    ------
    InputError
        If the data cannot be read or do not belong together.
    """
    sections = data.read(tile)
    if out is not None:
        for section in sections:
            _draw_overlay(section, Path(out) / f"{section.id.replace('/', '_')}.png")
    return [(describe_section(section), check_section(section)) for section in sections]


def _draw_overlay(section: Section, target: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it

    from mclstexp.plotting.overlay import plot_overlay  # noqa: PLC0415
    from mclstexp.plotting.style import PAGE_IN  # noqa: PLC0415

    figure, ax = plt.subplots(figsize=(PAGE_IN, PAGE_IN), layout="compressed")
    plot_overlay(section, ax=ax)
    with atomic_path(target) as path:
        figure.savefig(path, dpi=200)
    plt.close(figure)


def model_info(run: Path | str) -> dict[str, Any]:
    """Say what a saved model is, without loading its weights."""
    description = models.read_description(run)
    space, spec = description["space"], description["spec"]
    provenance = description["provenance"]
    return {
        "method": description["method"],
        "version": provenance.get("version", ""),
        "genes": len(space["genes"]),
        "scale": f"log{space['log_base']:g}(1 + {space['target_sum']:g} · counts / total of each {space['axis']})",
        "tiles": f"{spec['size_px']} px at {spec['mpp']:g} µm per pixel ({spec['size_px'] * spec['mpp']:g} µm)",
        "training sections": ", ".join(provenance["sections"]),
        "training patients": ", ".join(provenance["patients"]),
        **{f"code: {name}": value for name, value in provenance.get("code", {}).items() if name != "mclstexp"},
        **{f"option: {name}": value for name, value in description["options"].items()},
    }
