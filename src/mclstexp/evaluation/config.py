"""Configurations: what a TOML file and flags say, as frozen dataclasses with a sentence under each field."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import MIN_COUNTS
from mclstexp.core.options import typed_options
from mclstexp.core.panel import common_genes, select_hvg
from mclstexp.core.predictor import ROOM, Predictor
from mclstexp.core.residuals import THETA
from mclstexp.core.room import M, Room
from mclstexp.core.section import Section, check_sections
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section
from mclstexp.data.genes import select_heg, select_hvg_set, select_svg
from mclstexp.evaluation.exam import MIN_SPOTS, GeneSetRule, SpaceRule
from mclstexp.evaluation.impute_config import ImputeConfig
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.read import read_sections
from mclstexp.io.synthetic import make_sections


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


@lru_cache(maxsize=1)
def _made(config: SyntheticConfig, spec: TileSpec) -> tuple[Section, ...]:
    """Make them once: a run and its report ask for the same, which takes a minute to grow."""
    return tuple(make_sections(**vars(config), spec=spec))


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
    min_counts: int = MIN_COUNTS
    """Spots with fewer counts are neither learnt nor scored; 0 takes every spot as measured."""
    table: str | None = None
    """SpatialData: name of the table of counts, where the store has several."""
    coordinate_system: str | None = None
    """SpatialData: name of the coordinate system of spots and image, where they share several that disagree."""
    bin_um: int | None = None
    """Visium HD: side of the bins in µm; 8 by default."""
    pitch_um: float | None = None
    """h5ad: distance in µm between neighbouring spots, where that is what is known of the scale."""
    alignment: str | None = None
    """Xenium, CosMx, MERSCOPE: table of 3 by 3 numbers from pixels of the H&E image to those of the assay's own."""
    pool_um: float | None = None
    """Xenium, CosMx, MERSCOPE: side in µm of the pseudo-spots into which cells are pooled; 55 by default, 0: cells."""
    lattice: Literal["square", "hexagonal"] | None = None
    """Xenium, CosMx, MERSCOPE: how pseudo-spots lie; square by default."""
    synthetic: SyntheticConfig | None = None
    """Sections made here instead of read."""
    name: str = ""
    """Name of the data set, such as "mob_st"; a method whose defaults were chosen on it is never bold in its tables."""
    also: tuple[DataConfig, ...] = ()
    """More of them, that lie elsewhere or are read otherwise: tables [[data.also]], of paths and how they are read."""

    def read(self, spec: TileSpec) -> list[Section]:
        """Read the sections, or make them.

        Raises
        ------
        InputError
            If neither a path nor synthetic sections are named, or both; or the data cannot be read.
        """
        if self.min_counts < 0:
            msg = f"{word('min_counts')} of 0 or more expected, found {self.min_counts}: 1 leaves out the empty"
            raise InputError(msg)
        if bool(self.path) == (self.synthetic is not None):
            found = "both" if self.path else "neither"
            msg = f"either a data path or synthetic sections expected, found {found}: name one"
            raise InputError(msg)
        for more in self.also:
            if more.name or more.also or more.min_counts != MIN_COUNTS:
                msg = "in data.also a path and how it is read expected, found name, min_counts or also: say it in data"
                raise InputError(msg)
        return check_sections([*self._read_own(spec), *(section for more in self.also for section in more.read(spec))])

    def _read_own(self, spec: TileSpec) -> list[Section]:
        if self.synthetic is not None:
            return copy.deepcopy([*_made(self.synthetic, spec)])
        return read_sections(
            self.path,
            format=self.format,
            spec=spec,
            mpp=self.mpp,
            image=self.image,
            sections=self.sections,
            patients=self.patients or None,
            table=self.table,
            coordinate_system=self.coordinate_system,
            bin_um=self.bin_um,
            pitch_um=self.pitch_um,
            alignment=self.alignment,
            pool_um=self.pool_um,
            lattice=self.lattice,
        )


@dataclass(frozen=True)
class FoldsConfig:
    """What is held out."""

    by: Literal["patient", "section"] | None = None
    """"section" lets sections of one patient stand on both sides, and flatters; by default what the protocol says,
    or "section" where patients are not known, which the headline says."""
    n_folds: int | None = None
    """Groups of patients; each patient alone by default."""
    only: tuple[str, ...] | None = None
    """Names of the folds to run, as patients or sections held out are called; all by default."""
    min_spots: int = MIN_SPOTS
    """Sections with fewer spots that hold counts are learnt from and not scored."""

    def make(self, sections: Sequence[Section], *, usual: Literal["patient", "section"] = "patient") -> list[Fold]:
        """Make the folds; `usual` where nothing is said."""
        unknown = any(section.patient is None for section in sections) and self.n_folds is None
        by = self.by or ("section" if unknown else usual)
        if by == "section" and self.n_folds is not None:
            msg = f'n_folds groups patients, found it with by = "section" ({self.n_folds}): leave it out'
            raise InputError(msg)
        common_genes(sections)  # names of another kind are told before folds of which each has its own
        made = folds_by_patient(sections, n_folds=self.n_folds) if by == "patient" else folds_by_section(sections)
        return made if self.only is None else self._chosen(made)

    def _chosen(self, folds: Sequence[Fold]) -> list[Fold]:
        wanted, known = self.only or (), [fold.name for fold in folds]
        if not wanted or set(wanted) - set(known):
            found = ", ".join(sorted(set(wanted) - set(known))) or "no name"
            msg = f"names of folds ({', '.join(known)}) expected in only, found {found}: name what is to be held out"
            raise InputError(msg)
        return [fold for fold in folds if fold.name in wanted]


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
    scale: Literal["log", "residual"] = "log"
    """"log", or "residual" for Pearson residuals of counts, which depth hardly moves."""
    theta: float = THETA
    """Overdispersion that residuals are taken under."""

    def rule(self) -> SpaceRule:
        """Return the rule for `evaluate`."""
        genes = partial(select_hvg, n_genes=self.hvg) if self.genes is None else read_genes(self.genes)
        scale = {name: value for name, value in vars(self).items() if name not in ("genes", "hvg")}
        return partial(ExpressionSpace.fit, genes=genes, **scale)


@dataclass(frozen=True)
class GeneSetConfig:
    """Genes of the panel that are reported apart: one of the four."""

    heg: int | None = None
    """So many of the highest mean expression in the training sections."""
    hvg: int | None = None
    """So many that vary most beyond what sampling explains in the training sections."""
    svg: int | None = None
    """So many of the strongest spatial pattern (Moran's I) in the training sections."""
    file: str | None = None
    """Those that a file names, one a line."""

    def rule(self) -> GeneSetRule:
        """Return the rule for `evaluate`."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        if len(said) != 1:
            msg = f'a gene set needs one of "heg", "hvg", "svg" and "file", found {" and ".join(said) or "none"}'
            raise InputError(msg)
        if self.file is not None:
            return partial(_named, read_genes(self.file))
        choose = {"heg": select_heg, "hvg": select_hvg_set, "svg": select_svg}
        name, n_genes = next(iter(said.items()))
        return partial(choose[name], n_genes=n_genes)


@dataclass(frozen=True)
class FitConfig:
    """How one model is fitted, as ``mclstexp fit`` does it."""

    data: DataConfig = DataConfig()
    """The training sections."""
    tile: TileSpec = field(default_factory=TileSpec)
    """Size and scale of the tiles."""
    genes: str | None = None
    """File of the gene panel, one name a line; the method's own choice by default."""
    scale: Literal["log", "residual"] = "log"
    """"log" as the method says it, or "residual" for Pearson residuals of counts, which depth hardly moves."""
    preset: str | None = None
    """A named set of the method's options to start from, such as "published"."""
    options: dict[str, Any] = field(default_factory=dict)
    """The method's options."""
    impute: ImputeConfig | None = None
    """Genes that the sections lack and that are learnt too, imputed from a reference."""
    verdicts: str | None = None
    """Results of an evaluation of this method: the model then says of each gene how well it was predicted there."""


def make_method(
    name: str,
    options: Mapping[str, Any],
    *,
    preset: str | None = None,
    common: Mapping[str, Any] | None = None,
) -> Predictor:
    """Make an unfitted method of images from untyped options; see `make_in`."""
    return make_in(ROOM, name, options, preset=preset, common=common)


def make_in(
    room: Room[M],
    name: str,
    options: Mapping[str, Any],
    *,
    preset: str | None = None,
    common: Mapping[str, Any] | None = None,
) -> M:
    """Make a method of a room from untyped options.

    Parameters
    ----------
    room
        The methods of its question.
    name
        Its name there.
    options
        As a file says them; they count most.
    preset
        A named set of options that counts less.
    common
        Options shared by all methods (None: not said); each counts least, and only where the method has it.
    """
    cls = room.method_class(name)
    has = set(cls.__dataclass_fields__) - set(room.preset_options(name, preset))  # type: ignore[attr-defined]
    given = {key: value for key, value in (common or {}).items() if value is not None and key in has}
    return room.create(name, preset=preset, **typed_options(cls, {**given, **options}, where=f"method {name}"))


def _named(genes: Sequence[str], sections: Sequence[Section], *, space: ExpressionSpace) -> list[str]:  # noqa: ARG001
    chosen = [gene for gene in genes if gene in space.genes]
    if not chosen:
        msg = f"a gene set within the panel expected, found none of its {len(genes)} genes there"
        raise InputError(msg)
    return chosen
