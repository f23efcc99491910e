"""What lies between the spots of a section."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anndata import AnnData

from mclstexp.api.sections import read_one
from mclstexp.core.enhancer import Enhancer
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.enhancement import DEFAULT, create_enhancer
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.room_experiment import is_bare, looks, require_blind
from mclstexp.io.bare_section import read_bare_section
from mclstexp.io.h5ad import images_named, looks_like_h5ad
from mclstexp.io.predictions import write_prediction
from mclstexp.io.targets import require_free_file


def enhance(
    section: Section,
    *,
    factor: int = 2,
    places: Tiles | None = None,
    genes: Sequence[str] | None = None,
    method: str | Enhancer = DEFAULT,
) -> AnnData:
    """Say what is expressed between the spots of a section, or at places of one's own.

    Parameters
    ----------
    section
        A measured section.
    factor
        How many times finer than the array: 2 adds the middle between neighbouring spots.
    places
        Where instead: tiles of the same slide (`Tiles.grid`).
    genes
        Which; by default those that a tenth of the spots have counts of.
    method
        A name of `enhancement.list_enhancers`, or a method with options of its own.

    Returns
    -------
    AnnData (n_places, n_genes): see `Enhancer.enhance`.

    Raises
    ------
    InputError
        As `Enhancer.enhance`; if the method is unknown.
    """
    enhancer = create_enhancer(method) if isinstance(method, str) else method
    return enhancer.enhance(section, factor=factor, places=places, genes=genes)


def enhance_file(
    section: DataConfig,
    *,
    out: Path | str,
    spec: TileSpec,
    overwrite: bool = False,
    method: str | Enhancer = DEFAULT,
    **how: Any,
) -> AnnData:
    """Read a section, enhance it, and write the result.

    Parameters
    ----------
    section
        One section; for a method that does not look, counts with their places (`read_bare_section`) are enough: an h5ad
        without an image beside it, a table, or ``format = "counts"``.
    out
        The ``.h5ad``.
    spec
        Size and scale of the tiles, for methods that look.
    overwrite
        Whether a file that is there is replaced.
    method, how
        As the arguments of `enhance`.

    Raises
    ------
    InputError
        As `enhance`; if the data cannot be read, there are several sections, or the place is taken or cannot be
        written to.
    """
    out = Path(out)
    made_of = [section.path]
    require_free_file(out, what="the enhanced section", overwrite=overwrite, endings=(".h5ad",), made_of=made_of)
    enhancer = create_enhancer(method) if isinstance(method, str) else method
    enhanced = enhance(_read(section, enhancer, spec), method=enhancer, **how)
    write_prediction(enhanced, out)
    return enhanced


def _read(section: DataConfig, enhancer: Enhancer, spec: TileSpec) -> Section:
    """Read a section, without an image where there is none and the method does not look."""
    if is_bare(section):
        require_blind(enhancer, section, label=enhancer.name)
    elif looks(enhancer) or not _lacks_image(section):
        return read_one(section, spec)
    return read_bare_section(section.path, spec=spec, pitch_um=section.pitch_um)


def _lacks_image(section: DataConfig) -> bool:
    """Whether data are an h5ad of one section that has no image beside it."""
    path, known = Path(section.path), section.format in (None, "h5ad")
    alone = known and section.image is None and section.sections is None and looks_like_h5ad(path)
    return alone and not images_named(path, path.stem)
