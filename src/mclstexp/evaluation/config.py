"""Configurations: what a TOML file and flags say, as frozen dataclasses with a sentence under each field."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.options import build, typed_options
from mclstexp.core.panel import select_hvg
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section
from mclstexp.data.genes import select_heg
from mclstexp.evaluation.harness import GeneSetRule, SpaceRule
from mclstexp.io.read import read_sections
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create, method_class


@dataclass(frozen=True)
class SyntheticConfig:
    """Made-up sections, for trying things out."""

    n_patients: int = 3
    """Patients."""
    sections_per_patient: int = 1
    """Sections of each."""
    n_spots_side: int = 16
    """Spots along each side of the array."""
    n_genes: int = 60
    """Measured genes."""
    mpp: float = 0.5
    """µm per pixel of the slides."""
    seed: int = 0
    """Start of the random numbers."""


@dataclass(frozen=True)
class DataConfig:
    """Where sections come from and how they are read."""

    path: str = ""
    """A file or folder that `read_sections` knows, relative to the working directory."""
    format: str | None = None
    """Its format; recognised by default."""
    sections: tuple[str, ...] | None = None
    """Names of the sections to read; all by default."""
    patients: dict[str, str] = field(default_factory=dict)
    """Whom each section comes from, over what the data say."""
    mpp: float | None = None
    """µm per pixel of the images, over what the data say."""
    image: str | None = None
    """The image of the one section, where it lies apart."""
    synthetic: SyntheticConfig | None = None
    """Sections made here instead of read."""

    def read(self, spec: TileSpec) -> list[Section]:
        """Read the sections, or make them.

        Raises
        ------
        InputError
            If neither a path nor synthetic sections are named, or both; or the data cannot be read.
        """
        if bool(self.path) == (self.synthetic is not None):
            found = "both" if self.path else "neither"
            msg = f"either a data path or synthetic sections expected, found {found}: name one"
            raise InputError(msg)
        if self.synthetic is not None:
            return make_sections(**vars(self.synthetic), spec=spec)
        return read_sections(
            self.path,
            format=self.format,
            spec=spec,
            mpp=self.mpp,
            image=self.image,
            sections=self.sections,
            patients=self.patients or None,
        )


@dataclass(frozen=True)
class FoldsConfig:
    """What is held out."""

    by: Literal["patient", "section"] = "patient"
    """"section" lets sections of one patient stand on both sides, and flatters."""
    n_folds: int | None = None
    """Groups of patients; each patient alone by default."""

    def make(self, sections: Sequence[Section]) -> list[Fold]:
        """Make the folds."""
        if self.by == "patient":
            return folds_by_patient(sections, n_folds=self.n_folds)
        if self.n_folds is not None:
            msg = f'n_folds groups patients, found it with by = "section" ({self.n_folds}): leave it out'
            raise InputError(msg)
        return folds_by_section(sections)


@dataclass(frozen=True)
class SpaceConfig:
    """Gene panel and scale, learnt in each fold from its training sections."""

    genes: str | None = None
    """File of gene names, one a line; by default genes are chosen."""
    hvg: int = 1000
    """How many highly variable genes are chosen where no file is given."""
    target_sum: float = 1e4
    """Total every spot (or gene) is scaled to."""
    log_base: float = 10.0
    """Base of the logarithm."""
    axis: Literal["spot", "gene"] = "spot"
    """What is scaled; "gene" as published."""

    def rule(self) -> SpaceRule:
        """Return the rule for `evaluate`."""
        genes = partial(select_hvg, n_genes=self.hvg) if self.genes is None else read_genes(self.genes)
        scale = {"target_sum": self.target_sum, "log_base": self.log_base, "axis": self.axis}
        return partial(ExpressionSpace.fit, genes=genes, **scale)  # type: ignore[arg-type]  # each as its field


@dataclass(frozen=True)
class GeneSetConfig:
    """Genes of the panel that are reported apart: one of the two."""

    heg: int | None = None
    """So many of the highest mean expression in the training sections."""
    file: str | None = None
    """Those that a file names, one a line."""

    def rule(self) -> GeneSetRule:
        """Return the rule for `evaluate`."""
        if self.heg is not None and self.file is None:
            return partial(select_heg, n_genes=self.heg)
        if self.file is not None and self.heg is None:
            return partial(_named, read_genes(self.file))
        msg = f'a gene set needs either "heg" or "file", found {"neither" if self.heg is None else "both"}'
        raise InputError(msg)


@dataclass(frozen=True)
class Experiment:
    """A comparison of methods: the whole of it, as ``mclstexp evaluate`` runs it."""

    title: str = ""
    """What is asked."""
    data: DataConfig = DataConfig()
    """The sections."""
    tile: TileSpec = field(default_factory=TileSpec)
    """Size and scale of the tiles."""
    folds: FoldsConfig = FoldsConfig()
    """What is held out."""
    space: SpaceConfig = SpaceConfig()
    """Panel and scale."""
    gene_sets: dict[str, GeneSetConfig] = field(default_factory=lambda: {"heg50": GeneSetConfig(heg=50)})
    """Gene sets by name."""
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Options by label; ``method`` names the method where the label does not, ``preset`` a set of options to start
    from."""
    seed: int | None = None
    """Seed of every method that has one and is not given its own."""

    def make_methods(self) -> dict[str, Predictor]:
        """Make the methods by label.

        Raises
        ------
        InputError
            If there is none, or a method or option is not known or does not fit.
        """
        if not self.methods:
            msg = "at least one method expected, found none: add a table [methods.mean]"
            raise InputError(msg)
        made = {}
        for label, given in self.methods.items():
            options = {name: value for name, value in given.items() if name not in ("method", "preset")}
            preset = given.get("preset")
            made[label] = make_method(str(given.get("method", label)), options, preset=preset, seed=self.seed)
        return made


@dataclass(frozen=True)
class FitConfig:
    """How one model is fitted, as ``mclstexp fit`` does it."""

    data: DataConfig = DataConfig()
    """The training sections."""
    tile: TileSpec = field(default_factory=TileSpec)
    """Size and scale of the tiles."""
    genes: str | None = None
    """File of the gene panel, one name a line; the method's own choice by default."""
    preset: str | None = None
    """A named set of the method's options to start from, such as "published"."""
    options: dict[str, Any] = field(default_factory=dict)
    """The method's options."""


def make_method(
    name: str, options: Mapping[str, Any], *, preset: str | None = None, seed: int | None = None
) -> Predictor:
    """Make an unfitted method from untyped options; `seed` counts where the method has one and is not given it."""
    cls = method_class(name)
    typed = typed_options(cls, options, where=f"method {name}")
    if seed is not None and "seed" in cls.__dataclass_fields__:  # type: ignore[attr-defined]
        typed.setdefault("seed", seed)
    return create(name, preset=preset, **typed)


def read_experiment(path: Path | str) -> Experiment:
    """Read an experiment file; what it names is checked before anything runs.

    Raises
    ------
    InputError
        If it is no TOML, has an unknown key or a value that does not fit, or names a variable that is not set.
    """
    return build(Experiment, read_toml(path), where=str(path))


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML file, environment variables written ``${NAME}`` replaced in every text."""
    path = Path(path)
    if not path.is_file():
        msg = f"a configuration (.toml) expected at {path}, found no such file: check the path"
        raise InputError(msg)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = str(error).rstrip(".")
        msg = f"a configuration in TOML expected in {path}, found an error ({reason}): correct it"
        raise InputError(msg) from error
    return _expand(content, where=path)


def read_genes(path: Path | str) -> list[str]:
    """Read gene names, one a line; empty lines and what follows ``#`` are passed over."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        msg = f"a list of genes (text, one name a line) expected at {path}, found none: check the path"
        raise InputError(msg) from error
    genes = [name for line in lines if (name := line.partition("#")[0].strip())]
    if not genes:
        msg = f"a list of genes (text, one name a line) expected in {path}, found no name"
        raise InputError(msg)
    return genes


def _named(genes: Sequence[str], sections: Sequence[Section], *, space: ExpressionSpace) -> list[str]:  # noqa: ARG001
    chosen = [gene for gene in genes if gene in space.genes]
    if not chosen:
        msg = f"a gene set within the panel expected, found none of its {len(genes)} genes there"
        raise InputError(msg)
    return chosen


def _expand(value: Any, *, where: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _expand(part, where=where) for name, part in value.items()}
    if isinstance(value, list):
        return [_expand(part, where=where) for part in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    expanded = os.path.expandvars(value)
    if "${" in expanded:
        name = expanded.partition("${")[2].partition("}")[0]
        msg = f"{where} needs the environment variable {name}, found it not set: export {name}=…"
        raise InputError(msg)
    return expanded
