"""Tissue that is painted: generators fitted, tiles for features or a gene, slides without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from mclstexp.core import identity, keys
from mclstexp.core.code import source_hash
from mclstexp.core.display import plural
from mclstexp.core.errors import InputError
from mclstexp.core.generator import Generator
from mclstexp.core.method import options
from mclstexp.core.predictor import Predictor
from mclstexp.core.progress import step
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.generation import DEFAULT, create_generator
from mclstexp.generation.pictures import pictures_of_tiles
from mclstexp.generation.profiles import N_NEAR, Profiles
from mclstexp.io.atomic import restore
from mclstexp.io.generators import load_generator, read_generator_description, save_generator
from mclstexp.io.model_folder import DESCRIPTION
from mclstexp.io.provenance import code_version
from mclstexp.io.slides import ArraySlide
from mclstexp.io.stamped import MARK
from mclstexp.io.targets import require_free
from mclstexp.io.working import working_folder, working_path

QUANTILES: Final = (0.05, 0.5, 0.95)
"""Of a gene's programme, where a picture is painted unasked."""


def fit_generator(
    data: DataConfig,
    generator: str | Generator = DEFAULT,
    *,
    out: Path | str,
    spec: TileSpec = TileSpec(),  # noqa: B008  frozen
    overwrite: bool = False,
) -> Generator:
    """Fit a generator on the tiles of sections and save it; a fit that was killed resumes when it is run again.

    One that is there already, fitted in the same way on the same tiles, is returned as it is. Checkpoints lie in a
    hidden folder beside `out` until the generator is saved.

    Parameters
    ----------
    data
        The training sections.
    generator
        A name of `generation.list_generators`, or one with options of its own.
    out
        Folder of the generator.
    spec
        Size and scale of the tiles whose features are taken; what is painted shows as much tissue.
    overwrite
        Whether one that is already there is replaced.

    Raises
    ------
    InputError
        If the data or the place cannot be used, or another run is at it.
    """
    out = Path(out)
    method = create_generator(generator) if isinstance(generator, str) else generator
    if overwrite or _identity(out) is None:
        require_free(out, mark=DESCRIPTION, what="the generator", overwrite=overwrite)
    with working_folder(working_path(out), doing="a fit") as work:
        sections = data.read(spec)
        about = {name: repr(value) for name, value in options(method).items()}
        tiles = [(one.id, one.patient, identity.of_tiles(one.tiles)) for one in sections]
        key = identity.of("generator and save", method.name, about, method._numerics(), tiles, source_hash())
        if not overwrite and key == _identity(out):
            return load_generator(out)
        require_free(out, mark=DESCRIPTION, what="the generator", overwrite=overwrite)
        n_tiles = sum(map(len, sections))
        step(f"{method.name} learns from {plural(n_tiles, 'tile')} of {plural(len(sections), 'section')}")
        method.fit(sections, workdir=work.path)
        method.provenance_ |= {"code": code_version(), keys.IDENTITY: key}
        save_generator(method, out, overwrite=overwrite)
    return method


def _identity(out: Path) -> str | None:
    """Return the key of a generator that is there; None if there is none, or it tells none."""
    restore(out)
    try:
        return read_generator_description(out)["provenance"].get(keys.IDENTITY)
    except InputError:
        return None


def generate(
    generator: Generator, of: Tiles | Section | Float[np.ndarray, "n n_features"], *, seed: int = 0
) -> UInt8[np.ndarray, "n side side 3"]:
    """Paint a tile for each row of features.

    Parameters
    ----------
    generator
        Fitted; `load_generator` reads one.
    of
        Features as `Generator.look` returns them; or tiles, or a section, whose features are asked for.
    seed
        Of what features do not say: another one paints another tile of the same features.

    Returns
    -------
    (n, side, side, 3) RGB; they are synthetic, whatever they look like.

    Raises
    ------
    InputError
        As `Generator.look` and `Generator.generate`.
    """
    tiles = of.tiles if isinstance(of, Section) else of
    features = generator.look(tiles.with_spec(generator.spec_)) if isinstance(tiles, Tiles) else tiles
    return generator.generate(features, seed=seed)


@dataclass(frozen=True, eq=False)
class GeneTissue:
    """What tissue looks like along a gene: measured tiles of spots, and tiles painted for their features."""

    gene: str
    """Along which."""
    quantiles: tuple[float, ...]
    """Where."""
    spots: tuple[tuple[str, ...], ...]
    """At each quantile the spots that were asked, as SECTION SPOT."""
    measured: tuple[NDArray[np.uint8], ...]
    """At each quantile (n, side, side, 3) their own tiles."""
    painted: tuple[NDArray[np.uint8], ...]
    """At each quantile (n, side, side, 3) synthetic tiles for their features."""
    told: float
    """How much of features' variance expression tells of what was left out, see `Profiles.told`."""


def generate_gene(
    generator: Generator,
    sections: Sequence[Section],
    gene: str,
    *,
    model: Predictor | None = None,
    quantiles: Sequence[float] = QUANTILES,
    n: int = N_NEAR,
    seed: int = 0,
) -> GeneTissue:
    """Paint what tissue looks like where a gene is low, middling and high.

    The features of spots whose expression, by all genes that go along with this one, lies about each quantile are asked
    for. Their own tiles stand beside: they are what is known, the painted ones what the generator makes of it.

    Parameters
    ----------
    generator
        Fitted.
    sections
        Whose spots are asked.
    gene
        Of the sections, or of the model.
    model
        Whose predictions take the place of what was measured: "what the model thinks high ERBB2 looks like".
    quantiles
        From 0 to 1.
    n
        Spots at each.
    seed
        Of the pictures.

    Raises
    ------
    InputError
        If the gene is not known, a quantile is none, or expression tells next to nothing of features.
    """
    profiles = Profiles.of(sections, generator, model=model)
    rows = [profiles.at(gene, quantile, n=n) for quantile in quantiles]
    told = profiles.require_told()
    measured = [_tiles_at(profiles, part, generator.made_) for part in rows]
    return GeneTissue(
        gene,
        tuple(quantiles),
        tuple(names for names, _ in measured),
        tuple(pictures for _, pictures in measured),
        tuple(generator.generate(profiles.features[part], seed=seed + i) for i, part in enumerate(rows)),
        told,
    )


def _tiles_at(profiles: Profiles, rows: NDArray[np.int_], spec: TileSpec) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    named, pictures = [], []
    for row in rows:
        tiles = profiles.sections[profiles.section[row]].tiles.take([profiles.spot[row]])
        named.append(f"{tiles.slide.id} {tiles.ids[0]}")
        pictures.append(pictures_of_tiles(tiles, spec))
    return tuple(named), np.concatenate(pictures)


def generate_slide(
    generator: Generator, section: Section, *, rows: int = 6, columns: int = 6, seed: int = 0, endless: bool = False
) -> ArraySlide:
    """Paint a slide from a grid of features: those of the tissue about the middle of a section's spots.

    Parameters
    ----------
    generator
        Fitted.
    section
        Whose slide says what is asked for at each place of the grid.
    rows, columns
        Of the grid; a tile wide and high each.
    seed
        Of what features do not say.
    endless
        Whether pictures laid side by side have no seam.

    Returns
    -------
    A slide like any other, in memory; its name begins with "synthetic".

    Raises
    ------
    InputError
        If there is less than one row or column.
    """
    if min(rows, columns) < 1:
        msg = f"one or more rows and columns expected, found {rows} and {columns}"
        raise InputError(msg)
    tiles = grid_tiles(section, rows=rows, columns=columns, spec=generator.spec_)
    grid = generator.look(tiles).reshape(rows, columns, -1)
    picture = generator.paint(grid, seed=seed, endless=endless)
    return ArraySlide(picture, mpp=generator.made_.mpp, id=f"{MARK} of {section.id}")


def grid_tiles(section: Section, *, rows: int, columns: int, spec: TileSpec) -> Tiles:
    """Return tiles side by side about the middle of a section's spots, row by row."""
    pitch_px = spec.size_um / section.tiles.slide.mpp
    row, column = (part.ravel() for part in np.mgrid[:rows, :columns])
    offset = np.column_stack([column - (columns - 1) / 2, row - (rows - 1) / 2])
    xy = np.median(section.tiles.xy, axis=0) + offset * pitch_px
    return Tiles(section.tiles.slide, xy, np.array([f"{c}x{r}" for c, r in zip(column, row, strict=True)]), spec)
