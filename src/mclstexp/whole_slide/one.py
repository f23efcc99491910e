"""One slide, from its file to its map."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import anndata as ad
from numpy.typing import ArrayLike

from mclstexp.core import identity, keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Slide
from mclstexp.io.atomic import atomic_path, restore
from mclstexp.io.finished import count_unreadable, is_whole, prediction_key
from mclstexp.io.predictions import write_rows
from mclstexp.io.regions import to_geojson
from mclstexp.io.slides import open_slide
from mclstexp.io.working import working_folder, working_path
from mclstexp.whole_slide.grid import Grid, lay_grid
from mclstexp.whole_slide.heatmaps import write_heatmap
from mclstexp.whole_slide.pictures import draw_gene, most_varying
from mclstexp.whole_slide.result import frame
from mclstexp.whole_slide.settings import SlideSettings
from mclstexp.whole_slide.spatialdata import write_spatialdata
from mclstexp.whole_slide.stream import OnProgress, Streamed, run_key, stream

SUFFIX: Final = {"h5ad": ".h5ad", "spatialdata": ".zarr"}


@dataclass(frozen=True)
class SlideSummary:
    """What became of a slide."""

    slide: str
    """Its name."""
    out: str
    """Where the prediction lies."""
    n_tiles: int
    """Tiles predicted, those an earlier run had done among them."""
    n_unreadable: int
    """Of these, tiles that could not be decoded."""
    tissue_mm2: float
    """Area of the tissue."""
    seconds: float
    """Time of this run."""
    n_resumed: int
    """Tiles an earlier, interrupted run had done."""
    note: str = ""
    """What the user should know of it."""
    assumed: str = ""
    """How it was cut, in words."""
    doubts: tuple[str, ...] = ()
    """What is doubtful of how it was cut; warned of before it was predicted."""
    already: bool = False
    """Whether an earlier run had done all of it, so that nothing was left to do."""


def predict_slide(
    model: Predictor,
    slide: Slide | Path | str,
    *,
    settings: SlideSettings = SlideSettings(),  # noqa: B008  frozen
    places: ArrayLike | None = None,
    on_progress: OnProgress | None = None,
) -> ad.AnnData:
    """Predict expression over a whole slide, in memory; see `predict_slide_file` for a file.

    Parameters
    ----------
    model
        A fitted model.
    slide
        The file, or an opened slide.
    settings
        Stride, mask, scale; output formats are of no concern here.
    places
        (n, 2) tile centres in level-0 pixels, in place of a grid over the tissue.
    on_progress
        Called with (tiles done, tiles in all).

    Returns
    -------
    AnnData (n_tiles, n_genes), see `mclstexp.whole_slide.result.frame`.

    Raises
    ------
    InputError
        If the slide cannot be used: no slide, damaged, of unknown or too coarse a scale, without tissue.
    """
    _, grid = _prepare(model, slide, settings=settings, places=places)
    with tempfile.TemporaryDirectory(prefix="mclstexp-") as folder:
        streamed = stream(model, grid.tiles, folder=Path(folder) / "run", on_progress=on_progress)
        predicted = frame(model, grid, streamed, settings=settings)
        predicted.X = streamed.store.matrix()
    return predicted


def predict_slide_file(
    model: Predictor,
    slide: Path | str,
    *,
    out: Path,
    settings: SlideSettings = SlideSettings(),  # noqa: B008  frozen
    workdir: Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> SlideSummary:
    """Predict expression over a whole slide and write it; a run that was killed resumes when it is run again.

    Beside `out` come a picture (``NAME.png``), the tissue (``NAME.tissue.geojson``) and a heatmap for each gene asked
    (``NAME.GENE.ome.tif``); `out` itself appears last.

    Parameters
    ----------
    model, slide, settings, on_progress
        See `predict_slide`.
    out
        File (.h5ad) or store (.zarr) to write.
    workdir
        Where finished blocks are kept meanwhile; a hidden folder beside `out` by default.
    overwrite
        Whether an earlier prediction is replaced. One of the same model, slide and settings is left as it is if not.

    Raises
    ------
    InputError
        As `predict_slide`; if a gene is unknown, the place cannot be written to or is taken, or another run is at it.
    """
    started, out = time.monotonic(), Path(out)
    _check_names(out, slide=Path(slide), settings=settings)
    check_genes(model, settings)
    with working_folder(working_path(out) if workdir is None else workdir, doing="a prediction") as work:
        opened, grid = _prepare(model, slide, settings=settings)
        key = _key(model, grid, settings)
        already = not overwrite and _is_done(out, key=key, settings=settings)
        if already:
            bad, reason, n_resumed = count_unreadable(out), "by an earlier run", len(grid.tiles)
        else:
            streamed = stream(model, grid.tiles, folder=work.path, on_progress=on_progress)
            predicted = frame(model, grid, streamed, settings=settings)
            predicted.uns[keys.PROVENANCE][keys.IDENTITY] = key
            _write(predicted, streamed, grid, out=out, settings=settings)
            bad, reason, n_resumed = int(streamed.unreadable.sum()), streamed.reason, streamed.n_resumed
    return SlideSummary(
        slide=opened.id,
        out=str(out),
        n_tiles=len(grid.tiles),
        n_unreadable=bad,
        tissue_mm2=grid.regions.area_um2(opened.mpp) / 1e6,
        seconds=time.monotonic() - started,
        assumed=_assumed(grid, settings),
        doubts=grid.doubts,
        n_resumed=n_resumed,
        note=f"{bad} tiles could not be read ({reason})" if bad else "",
        already=already,
    )


def _key(model: Predictor, grid: Grid, settings: SlideSettings) -> str:
    """Say what a result depends on; the mask by what it says."""
    about = (identity.of_tiles(grid.tiles), to_geojson(grid.regions), replace(settings, mask=None))
    return identity.of("slide prediction", run_key(model), *about)


def _is_done(out: Path, *, key: str, settings: SlideSettings) -> bool:
    """Whether the same prediction is there, whole.

    Raises
    ------
    InputError
        If there is another.
    """
    restore(out)
    if not out.exists():
        return False
    found = prediction_key(out)
    if found != key:
        other = "another" if found else "one of unknown origin"
        advice = f"choose another or give {word('overwrite')}"
        msg = f"the prediction cannot be written, {other} already exists at {out}: {advice}"
        raise InputError(msg)
    return is_whole(out) and all(path.exists() for path in targets(out, settings))


def _write(predicted: ad.AnnData, streamed: Streamed, grid: Grid, *, out: Path, settings: SlideSettings) -> None:
    """Write everything; `out` last, for who finds it takes the slide for done."""
    store, slide, genes = streamed.store, grid.tiles.slide, list(predicted.var_names)
    shown = most_varying(store.expression()) if settings.gene is None else genes.index(settings.gene)
    picture, outline, *heatmaps, _ = targets(out, settings)
    draw_gene(predicted, slide, store.column(shown), gene=genes[shown], out=picture)
    with atomic_path(outline) as path:
        path.write_text(to_geojson(grid.regions, slide=slide) + "\n", encoding="utf-8")
    for gene, heatmap in zip(settings.heatmaps, heatmaps, strict=True):
        assert grid.tiles.array_xy is not None  # a file's tiles lie on a grid
        assert grid.stride_um is not None
        width, height = slide.size_px
        write_heatmap(
            store.column(genes.index(gene)),
            grid.tiles.array_xy,
            stride_um=grid.stride_um,
            gene=gene,
            path=heatmap,
            slide_size_um=(width * slide.mpp, height * slide.mpp),
        )
    if settings.format == "h5ad":
        write_rows(predicted, store.expression(), out)
    else:
        predicted.X = store.matrix()
        write_spatialdata(predicted, slide, out)


def targets(out: Path, settings: SlideSettings) -> list[Path]:
    """Return the files that are written: picture, tissue, heatmaps, and `out` itself."""
    heatmaps = [f".{gene.replace('/', '_')}.ome.tif" for gene in settings.heatmaps]
    return [*(out.with_suffix(suffix) for suffix in (".png", ".tissue.geojson", *heatmaps)), out]


def _prepare(
    model: Predictor, slide: Slide | Path | str, *, settings: SlideSettings, places: ArrayLike | None = None
) -> tuple[Slide, Grid]:
    if not model.is_fitted:
        msg = f"a fitted model expected, found {model.name} before fit: call fit(sections) first"
        raise InputError(msg)
    opened = slide if isinstance(slide, Slide) else open_slide(slide, id=settings.name, mpp=settings.mpp)
    grid = lay_grid(opened, model.spec_, settings=settings, places=places)
    for doubt in grid.doubts:
        warnings.warn(doubt, stacklevel=3)
    return opened, grid


def _assumed(grid: Grid, settings: SlideSettings) -> str:
    source = "its file says" if settings.mpp is None else "given"
    every = "" if grid.stride_um is None else f" every {grid.stride_um:g} µm"
    mpp, side_um = grid.tiles.slide.mpp, grid.tiles.spec.size_um
    return f"{mpp:.4g} µm per pixel as {source}, tiles of {side_um:g} µm{every} over {grid.laid_over}"


def _check_names(out: Path, *, slide: Path, settings: SlideSettings) -> None:
    if slide.exists() and any(path.exists() and path.samefile(slide) for path in targets(out, settings)):
        msg = f"another name for the prediction expected, found {out}: a file beside it would replace the slide {slide}"
        raise InputError(msg)
    suffix = SUFFIX[settings.format]
    if out.suffix != suffix:
        msg = f"a name that ends in {suffix} expected for a prediction as {settings.format}, found {out}: rename it"
        raise InputError(msg)


def check_genes(model: Predictor, settings: SlideSettings) -> None:
    """Refuse genes to be drawn that the model does not predict, before hours of work.

    Raises
    ------
    InputError
        If there is one.
    """
    for gene in (*settings.heatmaps, *([] if settings.gene is None else [settings.gene])):
        if gene not in model.genes_:
            some = ", ".join(model.genes_[:3])
            msg = f"one of the {len(model.genes_)} genes the model predicts ({some}, …) expected, found {gene!r}"
            raise InputError(msg)
