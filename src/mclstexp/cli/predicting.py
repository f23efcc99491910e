"""`predict`: of measured sections, of tile images, of one slide or of many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mclstexp.cli.application import app
from mclstexp.cli.flags import Many, Reading, Slides, data_config, slide_settings
from mclstexp.cli.terminal import say
from mclstexp.core.errors import InputError

if TYPE_CHECKING:
    from mclstexp.whole_slide.settings import SlideSettings


@app.command
def predict(
    run: Path,
    data: str,
    /,
    *,
    out: str,
    reading: Reading = Reading(),  # noqa: B008  frozen, as the two below
    slides: Slides = Slides(),  # noqa: B008
    many: Many = Many(),  # noqa: B008
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
    from mclstexp.api import holds_slides, predict_files

    if not holds_slides(data, run=run, format=reading.format):
        said = [name for name, value in {**vars(slides), **vars(many)}.items() if value not in (None, [], False, 1)]
        if said:
            msg = f"a whole slide expected with --{said[0].replace('_', '-')}, found {data}: leave the flag out"
            raise InputError(msg)
        for path in predict_files(run, data_config(Path(data), reading), out=out):
            say(str(path))
        return 0
    settings = slide_settings(slides, reading, out=out)
    if out.endswith((".h5ad", ".zarr")):
        return _one(run, data, out=Path(out), settings=settings, overwrite=many.overwrite)
    return _many(run, data, out=out, settings=settings, many=many)


def _one(run: Path, slide: str, *, out: Path, settings: SlideSettings, overwrite: bool) -> int:
    from mclstexp.api import load_model
    from mclstexp.cli.terminal import tile_progress
    from mclstexp.whole_slide.one import predict_slide_file

    model = load_model(run)
    with tile_progress(Path(slide).name) as on_progress:
        done = predict_slide_file(
            model, slide, out=out, settings=settings, overwrite=overwrite, on_progress=on_progress
        )
    if done.note:
        say(f"warning: {done.note}")
    resumed = f", {done.n_resumed} of them earlier" if done.n_resumed else ""
    say(f"{done.slide}: {done.n_tiles} tiles{resumed}, {done.tissue_mm2:.3g} mm² of tissue, {done.seconds:.0f} s")
    for path in (out, out.with_suffix(".png"), out.with_suffix(".tissue.geojson")):
        say(str(path))
    return 0


def _many(run: Path, data: str, *, out: str, settings: SlideSettings, many: Many) -> int:
    raise NotImplementedError
