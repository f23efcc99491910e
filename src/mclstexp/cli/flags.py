"""Flags that several commands share, and the configurations they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from mclstexp.core.tiles import TileSpec
    from mclstexp.evaluation.config import DataConfig, FitConfig


@Parameter(name="*", group="Reading the data")
@dataclass(frozen=True)
class Reading:
    """How sections are read; what is not given is recognised, or taken from the data."""

    format: str | None = None
    """Format: visium, visium_hd, hest, h5ad, spatialdata, her2st, cscc or st_folder; recognised by default."""
    image: str | None = None
    """Image of the one section, where it lies apart from the data."""
    slide_mpp: float | None = None
    """Micrometres per pixel of the image, over what the data say."""
    sections: str | None = None
    """Names of the sections to read, as A1,A2; all by default."""
    patients: str | None = None
    """Whom sections come from, as A1=anna,A2=anna; otherwise what the data say, or each section its own patient."""

    def given(self) -> dict[str, Any]:
        """Return what was said, as a table of a configuration file would."""
        said: dict[str, Any] = {"format": self.format, "image": self.image, "mpp": self.slide_mpp}
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
    config: Path | None = None
    """TOML file with tables [options], [data], [tile] and a key genes; flags count for more."""


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


def fit_config(method: str, data: Path, *, options: Method, tile: Tile, reading: Reading) -> FitConfig:
    """Lay flags over the file, file over defaults."""
    from mclstexp.core.options import build, options_from_text
    from mclstexp.evaluation.config import FitConfig
    from mclstexp.evaluation.toml import read_toml
    from mclstexp.methods import create

    said = read_toml(options.config) if options.config is not None else {}
    flags = options_from_text(type(create(method)), options.option, where=f"method {method}")
    flags |= without_none({"encoder": options.encoder, "seed": options.seed})
    for name, given in (("options", flags), ("data", {**reading.given(), "path": str(data)}), ("tile", vars(tile))):
        said[name] = {**said.get(name, {}), **without_none(given)}
    if options.preset is not None:
        said["preset"] = options.preset
    if options.genes is not None:
        said["genes"] = str(options.genes)
    return build(FitConfig, said, where="fit" if options.config is None else str(options.config))


def data_config(path: Path, reading: Reading) -> DataConfig:
    """Say which sections are meant."""
    from mclstexp.core.options import build
    from mclstexp.evaluation.config import DataConfig

    return build(DataConfig, {**reading.given(), "path": str(path)}, where="data")


def tile_spec(tile: Tile) -> TileSpec:
    """Say which tiles are meant."""
    from mclstexp.core.options import build
    from mclstexp.core.tiles import TileSpec

    return build(TileSpec, without_none(vars(tile)), where="tile")


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not said."""
    return {name: value for name, value in values.items() if value is not None}
