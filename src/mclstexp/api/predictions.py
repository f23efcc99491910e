"""Predictions of sections, of ready-made tiles and of whole slides."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from anndata import AnnData

from mclstexp.api.intervals import Intervals, read_intervals
from mclstexp.api.models import load_model
from mclstexp.core import identity, keys
from mclstexp.core.display import plural
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.identity import hash_section
from mclstexp.core.predictor import Predictor
from mclstexp.core.progress import step
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.data.tissue import is_blank
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.atomic import restore
from mclstexp.io.entries import entries, files_within
from mclstexp.io.finished import prediction_key
from mclstexp.io.models import read_description
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.read import READERS
from mclstexp.io.slides import IMAGES, SUFFIXES, probe_slide
from mclstexp.io.targets import require_place_of_predictions
from mclstexp.io.tile_folder import read_tiles
from mclstexp.io.unasked import places_alone
from mclstexp.io.working import working_folder, working_path
from mclstexp.retrieval.drawn import Drawn
from mclstexp.whole_slide.result import furnish
from mclstexp.whole_slide.stream import run_key

OnFile = Callable[[Path, bool], None]

_N_LOOKED_AT: Final = 4


def predict(
    model: Predictor | Path | str,
    tiles: Tiles,
    *,
    sample: bool = False,
    seed: int = 0,
    intervals: Intervals | None = None,
) -> AnnData:
    """Predict expression at tiles, read at the size and scale the model was fitted on; see `Predictor.predict`.

    As of a whole slide the answer has ``uns["spatial"]``, a thumbnail as scanpy and squidpy look for it, how far each
    place lies from measured spots (of methods that retrieve), and which slide it was made of.

    Parameters
    ----------
    model
        A fitted model, or the folder of a saved one.
    tiles
        Where to look: ``section.tiles``, `read_tiles`, ``Tiles.grid``.
    sample
        Whether maps are drawn that vary as tissue does, a measured spot at each tile, in place of the mean of many: see
        `retrieval.drawn.Drawn`. What is counted or tested on maps then sees no smooth means.
    seed
        Of the draw. A place gets the same whatever tiles are asked with it.
    intervals
        Of `api.intervals`: they become the layers "low" and "high", about the mean also where maps are drawn.

    Raises
    ------
    InputError
        If the model cannot be read or is not fitted, or ready-made tiles are of another size or scale; if a method that
        keeps no spots is to draw, or the intervals are another model's.
    """
    fitted = model if isinstance(model, Predictor) else load_model(model)
    tiles = tiles.with_spec(fitted.spec_) if fitted.is_fitted else tiles
    return _predicted(fitted, tiles, sample=seed if sample else None, intervals=intervals)


def _predicted(model: Predictor, tiles: Tiles, *, sample: int | None, intervals: Intervals | None) -> AnnData:
    if sample is None:
        predicted = furnish(model, tiles, model.predict(tiles))
        return predicted if intervals is None else intervals.lay(model, tiles, predicted)
    drawn = Drawn.of(model, seed=sample).predict(tiles)
    if intervals is not None:
        about = intervals.lay(model, tiles, model.predict(tiles))
        for name in (keys.LOW, keys.HIGH):  # not all: of newer AnnData the layer None is X
            drawn.layers[name] = about.layers[name]
        drawn.uns[keys.PROVENANCE][keys.INTERVALS] = about.uns[keys.PROVENANCE][keys.INTERVALS]
    return furnish(model, tiles, drawn)


def predict_files(
    run: Predictor | Path | str,
    data: DataConfig,
    *,
    out: Path | str,
    overwrite: bool = False,
    on_file: OnFile | None = None,
    sample: int | None = None,
    intervals: Path | str | None = None,
) -> list[Path]:
    """Predict every section, or every tile of a folder, and write the predictions; run again, it does what is missing.

    A prediction that is there already, made by the same model of the same tiles, is left as it is.

    Parameters
    ----------
    run
        Folder of a saved model, or a fitted one, such as one that `api.verdicts.told_model` returned.
    data
        Sections of any known format, or a folder of ready-made tiles (also by ``format="tiles"``).
    out
        A file that ends in ``.h5ad``; or a folder, which then holds one file per section.
    overwrite
        Whether predictions that are already there are replaced.
    on_file
        Called with (file, whether it was there already) for one after the other.
    sample
        Seed of maps that are drawn; by default the mean is predicted. See `predict`.
    intervals
        File that `api.intervals.calibrate` wrote, for layers "low" and "high".

    Returns
    -------
    The files written, and those that were there.

    Raises
    ------
    InputError
        If the model or the data cannot be read, several sections are to go into one file, the place is taken, or
        another run is at it.
    """
    require_place_of_predictions(out)
    model, out = run if isinstance(run, Predictor) else load_model(run), Path(out)
    laid = None if intervals is None else read_intervals(intervals)
    with working_folder(working_path(out), doing="a prediction"):
        queries = dict(_queries(model, data))
        if out.suffix != ".h5ad":
            targets = {name: out / f"{name.replace('/', '_')}.h5ad" for name in queries}
        elif len(queries) == 1:
            targets = dict.fromkeys(queries, out)
        else:
            msg = f"one section expected for the file {out}, found {len(queries)}: give a folder as {word('out')}"
            raise InputError(msg)
        key = run_key(model) if sample is None else run_key(Drawn.of(model, seed=sample))
        key = key if laid is None else identity.of("with intervals", key, asdict(laid))
        made_of = {name: identity.of("prediction", key, identity.of_tiles(tiles)) for name, tiles in queries.items()}
        done = {n for n, target in targets.items() if not overwrite and _is_done(target, key=made_of[n])}
        for number, (name, tiles) in enumerate(queries.items(), 1):
            if name not in done:
                step(f"Predicting {name}, {number} of {len(queries)}: {plural(len(tiles), 'tile')}")
                predicted = _predicted(model, tiles, sample=sample, intervals=laid)
                predicted.uns[keys.PROVENANCE][keys.IDENTITY] = made_of[name]
                write_prediction(predicted, targets[name])
            if on_file is not None:
                on_file(targets[name], name in done)
    return list(targets.values())


def _is_done(target: Path, *, key: str) -> bool:
    """Whether a prediction is there, whole.

    Raises
    ------
    InputError
        If there is one of another model or of other tiles.
    """
    restore(target)
    if not target.exists():
        return False
    if prediction_key(target) != key:
        advice = f"choose another or give {word('overwrite')}"
        msg = f"the prediction cannot be written, another already exists at {target}: {advice}"
        raise InputError(msg)
    try:
        read_prediction(target)
    except InputError:
        return False
    return True


def _queries(model: Predictor, data: DataConfig) -> Iterator[tuple[str, Tiles]]:
    path = Path(data.path)
    if data.format == "tiles" or (data.format is None and _holds_tiles(path, model.spec_)):
        tiles = read_tiles(path, spec=model.spec_)
        n_blank = sum(is_blank(tiles.read(i)) for i in range(len(tiles)))
        if n_blank:
            text = f"{n_blank} of {len(tiles)} tiles of {path.name} are blank glass: their prediction means nothing"
            warnings.warn(text, stacklevel=2)
        yield tiles.slide.id, tiles
        return
    trained_on = set(model.provenance_["sections"].values())
    for section in _sections(data, model.spec_):
        if hash_section(section) in trained_on:
            text = f"the model was trained on {section.id}: its prediction there says nothing about new tissue"
            warnings.warn(text, stacklevel=2)
        yield section.id, section.tiles


def _sections(data: DataConfig, spec: TileSpec) -> list[Section]:
    """Read sections; where their counts cannot be used, for their places alone."""
    try:
        return data.read(spec)
    except InputError as error:
        with places_alone():
            sections = data.read(spec)  # what else is wrong is said here
        warnings.warn(f"predicted at the spots' places alone, for there are no counts to use: {error}", stacklevel=3)
        return sections


def holds_slides(data: str, *, run: Path | str, format: str | None = None) -> bool:  # noqa: A002  as the flag
    """Say whether whole slides are meant, not measured sections or ready-made tiles.

    Parameters
    ----------
    data
        What was given to be predicted: a file, a folder, a glob, a CSV file of slides, a URL.
    run
        Folder of the model, for the size of its tiles.
    format
        What was said of the format: of slides nothing, or what is to be written of them.

    Raises
    ------
    InputError
        If there is no model.
    """
    path = Path(data)
    if format not in (None, "h5ad", "spatialdata"):
        return False
    if path.is_dir():
        folders = [path, *(entry for entry in entries(path) if entry.is_dir())]
        measured = any(reader.looks_like(folder) for folder in folders for reader in READERS.values())
        tiles = _holds_tiles(path, TileSpec(**read_description(run)["spec"]))
        return not (measured or tiles) and any(file.suffix.lower() in SUFFIXES for file in files_within(path))
    if path.exists():
        return path.suffix.lower() != ".h5ad"  # the only section in a single file
    return "://" in data or any(sign in data for sign in "*?[") or path.suffix.lower() in (*SUFFIXES, ".csv")


def _holds_tiles(path: Path, spec: TileSpec) -> bool:
    """Whether a path is a folder of images, most of a tile's size (some are looked at), and of no slides."""
    if not path.is_dir() or any(reader.looks_like(path) for reader in READERS.values()):
        return False
    kinds = {file: file.suffix.lower() for file in entries(path) if file.is_file()}
    images = [file for file, kind in kinds.items() if kind in IMAGES]
    if not images or any(kind in SUFFIXES and kind not in IMAGES for kind in kinds.values()):
        return False
    sizes = []
    for image in images[:: max(1, len(images) // _N_LOOKED_AT)]:
        with suppress(InputError):  # a damaged one does not decide what the others are
            sizes.append(probe_slide(image).size_px)
    fitting = sum(size == (spec.size_px, spec.size_px) for size in sizes)
    return 2 * fitting > len(sizes)  # of the others `read_tiles` says what is wrong
