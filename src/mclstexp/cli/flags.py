"""Flags that several commands share, and the configurations they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from mclstexp.core.tiles import TileSpec
    from mclstexp.evaluation.config import DataConfig, FitConfig
    from mclstexp.whole_slide.settings import SlideSettings


@Parameter(name="*", group="Reading the data")
@dataclass(frozen=True)
class Reading:
    """How sections are read; what is not given is recognised, or taken from the data."""

    format: str | None = None
    """Format: visium, visium_hd, visium_cells, visium_geo, xenium, cosmx, merscope, hest, h5ad, spatialdata, her2st,
    cscc, st_folder or tiles; recognised by default. Of whole slides h5ad or spatialdata: what is written."""
    image: str | None = None
    """Image of the one section, where it lies apart from the data."""
    slide_mpp: float | None = None
    """Micrometres per pixel of the image or slide, over what the data say."""
    sections: str | None = None
    """Names of the sections to read, as A1,A2; all by default."""
    patients: str | None = None
    """Whom sections come from, as A1=anna,A2=anna; otherwise what the data say, or unknown."""
    min_counts: int | None = None
    """Spots with fewer counts are neither learnt nor scored; 1 by default, 0 takes every spot as measured."""

    table: str | None = None
    """SpatialData: name of the table of counts, where the store has several."""
    coordinate_system: str | None = None
    """SpatialData: name of the coordinate system of spots and image, where they share several that disagree."""
    bin_um: int | None = None
    """Visium HD: side of the bins in µm; 8 by default."""
    pitch_um: float | None = None
    """h5ad: distance in µm between neighbouring spots, where that is what is known of the scale."""
    alignment: str | None = None
    """Xenium, CosMx, MERSCOPE: table (.csv) of 3 by 3 numbers that leads from pixels of the H&E image to those of the
    assay's own; beside the image by default."""
    pool_um: float | None = None
    """Xenium, CosMx, MERSCOPE: side in µm of the pseudo-spots into which cells are pooled; 55 by default, 0 takes each
    cell as a place."""
    lattice: Literal["square", "hexagonal"] | None = None
    """Xenium, CosMx, MERSCOPE: how pseudo-spots lie; square by default."""

    def given(self) -> dict[str, Any]:
        """Return what was said, as a table of a configuration file would."""
        said: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "slide_mpp"}
        said["mpp"] = self.slide_mpp
        if self.sections is not None:
            said["sections"] = self.sections.split(",")
        if self.patients is not None:
            from mclstexp.core.options import split_pairs

            said["patients"] = split_pairs(self.patients.split(","), what="patient")
        return without_none(said)


@Parameter(name="*", group="Tiles")
@dataclass(frozen=True)
class Tile:
    """Size and scale of the tiles."""

    size_px: int | None = None
    """Side of a tile in pixels; 224 by default."""
    mpp: float | None = None
    """Micrometres per pixel of a tile; 0.5 by default."""


@Parameter(name="*", group="Method")
@dataclass(frozen=True)
class Method:
    """What is learnt and how."""

    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the method as NAME=VALUE, any number of times; `mclstexp list METHOD` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as published; --option counts for more."""
    encoder: str | None = None
    """Image encoder; short for --option encoder=NAME."""
    seed: int | None = None
    """Start of the random numbers; short for --option seed=NUMBER."""
    genes: Path | None = None
    """List of the genes to predict, one a line; the method's own choice by default."""
    scale: Literal["log", "residual"] | None = None
    """What is predicted: log, expression as usual (by default), or residual, Pearson residuals of counts, which depth
    hardly moves."""
    config: Path | None = None
    """TOML file with tables [options], [data], [tile], [impute] and keys genes and scale; flags count for more."""


@Parameter(name="*", group="Imputed genes")
@dataclass(frozen=True)
class Imputed:
    """Genes that the training sections lack."""

    impute: Path | None = None
    """Raw counts of single cells of such tissue (.h5ad, .zarr, a 10x .h5, .tsv): genes that the sections lack are
    imputed from them, and learnt too. No section that is to be held out."""
    impute_genes: str | None = None
    """Which: a file with one gene a line, or names as ESR1,FOXA1; by default those of --genes that a section lacks, or,
    without --genes, those that no section has and that are expected to score well."""
    impute_least: float | None = None
    """Expected PCC from which genes are imputed unasked; 0.3 by default."""
    impute_method: str | None = None
    """Method of imputation; gene_ridge by default."""
    impute_option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Its option as NAME=VALUE, any number of times."""

    def given(self) -> dict[str, Any]:
        """Return what was said, as the table [impute] of a configuration file would."""
        reference = None if self.impute is None else str(self.impute)
        said = without_none(
            {
                "reference": reference,
                "genes": self.impute_genes,
                "least": self.impute_least,
                "method": self.impute_method,
            }
        )
        if self.impute_option:
            from mclstexp.core.imputer import ROOM
            from mclstexp.core.options import options_from_text

            name = self.impute_method or "gene_ridge"
            said["options"] = options_from_text(ROOM.method_class(name), self.impute_option, where=f"method {name}")
        return said


@Parameter(name="*")
@dataclass(frozen=True)
class Learning:
    """What is learnt, how, and what is imputed before."""

    options: Method = Method()
    """The method's."""
    imputed: Imputed = Imputed()
    """What is imputed."""
    verdicts: Annotated[Path | None, Parameter(name="--verdicts")] = None
    """Folder that `mclstexp evaluate` wrote of this method: the model and its predictions say of each gene how well it
    was predicted there, and on whom."""


@Parameter(name="*", group="Whole slides")
@dataclass(frozen=True)
class Slides:
    """How a slide is cut into tiles, and what is written of it."""

    stride_um: float | None = None
    """Distance between tile centres in µm: 100 is like Visium's, less is denser; the tile's side by default."""
    mask: Path | None = None
    """GeoJSON file with the regions to predict, in pixels of the full image (QuPath's export); found by default."""
    mask_frame: Literal["qupath", "openslide"] | None = None
    """Where the mask's (0, 0) is on a slide of which a part was scanned: that part's corner (qupath) or the glass's
    (openslide); found out by default."""
    gene: str | None = None
    """Gene of the picture beside the result; by default the one that varies most."""
    heatmap: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Gene to write as an OME-TIFF too, any number of times."""
    allow_upsampling: Annotated[bool, Parameter(negative="")] = False
    """Take a slide that is coarser than the model's tiles all the same; the result is stamped with it."""


@Parameter(name="*", group="Draws and intervals")
@dataclass(frozen=True)
class Spread:
    """What is predicted beside or in place of means."""

    sample: Annotated[bool, Parameter(negative="")] = False
    """Draw a map that varies as tissue does, one measured spot a tile, in place of the mean of many; of a method that
    retrieves spots."""
    seed: int = 0
    """Of the draw; another one draws another map."""
    intervals: Path | None = None
    """What `mclstexp calibrate` wrote: sections and tiles get the layers low and high."""
    verdicts: Path | None = None
    """Folder that `mclstexp evaluate` wrote of the model's method: the prediction says of each gene how well it was
    predicted there, and on whom; of one slide, sections or tiles."""


@Parameter(name="*", group="Many slides")
@dataclass(frozen=True)
class Many:
    """How many slides are gone through."""

    jobs: int = 1
    """Slides at once, each in a process of its own."""
    shard: str | None = None
    """Part of the slides, as 2/8: for the tasks of a job array."""
    cluster: Literal["ray"] | None = None
    """On a Ray cluster (pip install 'mclstexp[ray]') instead of this machine's processes."""
    address: str | None = None
    """Address of the Ray cluster; by default the one that is found, or else a local one."""
    overwrite: Annotated[bool, Parameter(negative="")] = False
    """Replace predictions that are already there."""


@Parameter(name="*", group="Checkpoint")
@dataclass(frozen=True)
class Origin:
    """Whose checkpoint it is."""

    genes: Path
    """List of its genes, one a line, in its order."""
    method: str = "mclstexp"
    """The method whose published code wrote it."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option as NAME=VALUE where it was trained with others than published, any number of times."""


def fit_config(
    method: str, data: Path, *, options: Method, tile: Tile, reading: Reading, imputed: Imputed | None = None
) -> FitConfig:
    """Lay flags over the file, file over defaults."""
    from mclstexp.core.errors import InputError
    from mclstexp.core.options import build, options_from_text
    from mclstexp.evaluation.config import FitConfig
    from mclstexp.evaluation.toml import read_toml
    from mclstexp.methods import create

    said = read_toml(options.config) if options.config is not None else {}
    flags = options_from_text(type(create(method)), options.option, where=f"method {method}")
    flags |= without_none({"encoder": options.encoder, "seed": options.seed})
    for name, given in (("options", flags), ("data", {**reading.given(), "path": str(data)}), ("tile", vars(tile))):
        said[name] = {**said.get(name, {}), **without_none(given)}
    beside = {} if imputed is None else imputed.given()
    if beside:
        said["impute"] = {**said.get("impute", {}), **beside}
        if "reference" not in said["impute"]:
            msg = "a reference to impute from expected, found none: give --impute with its file"
            raise InputError(msg)
    if options.preset is not None:
        said["preset"] = options.preset
    if options.genes is not None:
        said["genes"] = str(options.genes)
    if options.scale is not None:
        said["scale"] = options.scale
    return build(FitConfig, said, where="fit" if options.config is None else str(options.config))


def data_config(path: Path, reading: Reading) -> DataConfig:
    """Say which sections are meant."""
    from mclstexp.core.options import build
    from mclstexp.evaluation.config import DataConfig

    return build(DataConfig, {**reading.given(), "path": str(path)}, where="data")


def slide_settings(slides: Slides, reading: Reading, *, out: str) -> SlideSettings:
    """Say how slides are cut and what is written; `--format spatialdata` and a name that ends in .zarr say the same."""
    from mclstexp.core.errors import InputError
    from mclstexp.whole_slide.settings import SlideSettings

    for name, value in vars(reading).items():
        if value is not None and name not in ("format", "slide_mpp"):
            msg = f"measured sections expected with --{name.replace('_', '-')}, found whole slides: leave the flag out"
            raise InputError(msg)
    store = out.rstrip("/").endswith(".zarr") or reading.format == "spatialdata"
    return SlideSettings(
        stride_um=slides.stride_um,
        mpp=reading.slide_mpp,
        mask=None if slides.mask is None else str(slides.mask),
        mask_frame=slides.mask_frame,
        allow_upsampling=slides.allow_upsampling,
        gene=slides.gene,
        heatmaps=tuple(slides.heatmap),
        format="spatialdata" if store else "h5ad",
    )


def tile_spec(tile: Tile) -> TileSpec:
    """Say which tiles are meant."""
    from mclstexp.core.options import build
    from mclstexp.core.tiles import TileSpec

    return build(TileSpec, without_none(vars(tile)), where="tile")


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not said."""
    return {name: value for name, value in values.items() if value is not None}
