"""`predict`: of measured sections, of tile images, of one slide or of many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mclstexp.cli.application import app
from mclstexp.cli.flags import Many, Reading, Slides, Spread, data_config, slide_settings
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.errors import InputError
from mclstexp.core.progress import step

_MANY_ROWS = 50
"""A longer table is for a file."""

if TYPE_CHECKING:
    from mclstexp.whole_slide.settings import SlideSettings


@app.command
def predict(
    run: Path,
    data: str,
    /,
    *,
    out: str,
    reading: Reading = Reading(),  # noqa: B008  frozen, as the three below
    slides: Slides = Slides(),  # noqa: B008
    many: Many = Many(),  # noqa: B008
    spread: Spread = Spread(),  # noqa: B008
) -> int:
    """Predict expression over whole slides, measured sections or tile images; run it again after an interruption.

    Parameters
    ----------
    run
        Folder of a fitted model.
    data
        A slide (SVS, NDPI, MRXS, DICOM, OME-TIFF, JPEG …); many of them as a folder, a "glob", a table (.csv with
        columns slide, name, mpp, mask) or s3://…; or sections in any known format, or a folder of tile images of the
        model's size and scale (--format tiles).
    out
        File to write (.h5ad, or .zarr for SpatialData); for several slides or sections a folder.
    """
    step(f"Reading the model {run}")
    from mclstexp.api import holds_slides, predict_files
    from mclstexp.api.verdicts import told_model
    from mclstexp.io.targets import require_place_of_predictions

    require_place_of_predictions(out)
    if not holds_slides(data, run=run, format=reading.format):
        flags = {**vars(slides), **vars(many), "overwrite": None}
        said = [name for name, value in flags.items() if value not in (None, [], False, 1)]
        if said:
            msg = f"a whole slide expected with --{said[0].replace('_', '-')}, found {data}: leave the flag out"
            raise InputError(msg)
        predict_files(
            run if spread.verdicts is None else told_model(run, spread.verdicts),
            data_config(Path(data), reading),
            out=out,
            overwrite=many.overwrite,
            on_file=_say_file,
            sample=spread.seed if spread.sample else None,
            intervals=spread.intervals,
        )
        return 0
    if spread.intervals is not None:
        msg = f"sections or tiles expected with --intervals, found the slide {data}: leave the flag out"
        raise InputError(msg)
    settings = slide_settings(slides, reading, out=out)
    if out.endswith((".h5ad", ".zarr")):
        slide = _single(data, out=out, many=many)
        return _one(run, slide, out=Path(out), settings=settings, spread=spread, overwrite=many.overwrite)
    for flag, given in {"--sample": spread.sample, "--verdicts": spread.verdicts is not None}.items():
        if given:
            how = "draw slide by slide" if flag == "--sample" else "or give it to fit, for all predictions of the model"
            msg = f"one slide and a file as --out expected with {flag}, found {out}: {how}"
            raise InputError(msg)
    return _many(run, data, out=out, settings=settings, many=many)


def _say_file(path: Path, already: bool) -> None:  # noqa: FBT001  as `predict_files` calls it
    say(f"{path}: predicted already, by the same model" if already else str(path))


def _single(data: str, *, out: str, many: Many) -> str:
    """Return the one slide that goes into the file `out`."""
    from mclstexp.whole_slide.manifest import list_slides

    said = [name for name in ("shard", "cluster", "address") if getattr(many, name) is not None]
    if said or many.jobs > 1:
        flag = said[0] if said else "jobs"
        msg = f"a folder as --out expected with --{flag}, which is for many slides, found {out}: name a folder"
        raise InputError(msg)
    path = Path(data)
    several = path.is_dir() or path.suffix.lower() == ".csv" or any(sign in data for sign in ("*", "?", "[", "://"))
    if path.suffix.lower() != ".csv" and (path.is_file() or not several):
        return data
    jobs = list_slides(data)
    if len(jobs) > 1 or "://" in jobs[0].source:
        msg = f"one slide of this machine expected for the file {out}, found {data}: give a folder as --out"
        raise InputError(msg)
    return jobs[0].source


def _one(run: Path, slide: str, *, out: Path, settings: SlideSettings, spread: Spread, overwrite: bool) -> int:
    from mclstexp.api import load_model
    from mclstexp.api.verdicts import told_model
    from mclstexp.cli.terminal import tile_progress
    from mclstexp.whole_slide.one import predict_slide_file, targets

    model = load_model(run) if spread.verdicts is None else told_model(run, spread.verdicts)
    if spread.sample:
        from mclstexp.retrieval.drawn import Drawn

        model = Drawn.of(model, seed=spread.seed)
    with tile_progress(Path(slide).name) as on_progress:
        done = predict_slide_file(
            model, slide, out=out, settings=settings, overwrite=overwrite, on_progress=on_progress
        )
    if done.note:
        say(f"warning: {done.note}")
    say(f"{done.slide}: {done.assumed}")
    if done.already:
        say(f"{done.slide}: predicted already, by the same model with the same settings; nothing was left to do")
        return 0
    resumed = f", {done.n_resumed} of them earlier" if done.n_resumed else ""
    say(f"{done.slide}: {done.n_tiles} tiles{resumed}, {done.tissue_mm2:.3g} mm² of tissue, {done.seconds:.0f} s")
    for path in reversed(targets(out, settings)):
        say(str(path))
    return 0


def _many(run: Path, data: str, *, out: str, settings: SlideSettings, many: Many) -> int:
    """Predict many slides; the exit code is 1 if some failed, for a scheduler to see."""
    from mclstexp.cli.terminal import cell, slides_progress
    from mclstexp.whole_slide.batch import Batch
    from mclstexp.whole_slide.manifest import list_slides

    batch = Batch(
        str(run), out, jobs=tuple(list_slides(data)), settings=settings, shard=many.shard, overwrite=many.overwrite
    )
    with slides_progress(Path(data).name) as on_event:
        if many.cluster is None:
            from mclstexp.whole_slide.many import predict_slides

            table = predict_slides(batch, n_processes=many.jobs, on_event=on_event)
        else:
            from mclstexp.whole_slide.ray_cluster import predict_slides_on_ray

            n_actors = many.jobs if many.jobs > 1 else None
            table = predict_slides_on_ray(batch, address=many.address, n_actors=n_actors, on_event=on_event)
    shown = table.drop(columns=["slide", "reason"]).rename(columns={"tiles_per_second": "tiles/s"})
    if len(shown) > _MANY_ROWS:
        say(f"{len(shown)} slides, each a line of {out.rstrip('/')}/summary{batch.label}.csv")
    elif len(shown):
        rows = shown.astype(object).where(shown.notna(), None).to_numpy()
        print_table([[cell(value) for value in row] for row in rows], heading=[*map(str, shown)], title=data)
    count = table["state"].value_counts()
    say(", ".join(f"{count.get(state, 0)} {state}" for state in ("done", "skipped", "failed")) + f": {out}")
    if count.get("failed", 0):
        say(f"why slides failed: {out.rstrip('/')}/failed{batch.label}.csv")
        return 1
    return 0
