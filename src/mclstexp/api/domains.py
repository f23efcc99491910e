"""Which regions a section has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.api.sections import read_one
from mclstexp.core import keys
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.core.tissue import is_prediction
from mclstexp.domains import DEFAULT, create_domain_finder
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.room_experiment import BARE, is_bare, require_blind
from mclstexp.io.bare_section import read_bare_section
from mclstexp.io.counts_alone import holds_counts_alone, read_counts
from mclstexp.io.h5ad import looks_like_h5ad
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.raw_counts import raw_counts
from mclstexp.io.targets import require_free_file


def find_domains(
    section: Section | AnnData,
    *,
    n_domains: int | None = None,
    method: str | DomainFinder = DEFAULT,
    features: Float[np.ndarray, "n_spots dim"] | None = None,
) -> AnnData:
    """Divide the spots of a section, or of a prediction, into domains; labels are not looked at.

    Parameters
    ----------
    section
        A measured section; raw counts (in ``X``, ``layers["counts"]`` or ``raw.X``) with places in
        ``obsm["spatial"]``; or a prediction. No image is needed by methods that do not look.
    n_domains
        How many; by default found without labels: two halves of the spots must be divided alike.
    method
        A name of `domains.list_domain_finders`, or a method with options of its own.
    features
        (n_spots, dim) frozen features of the tiles, for methods that look; by default those of the section's image.

    Returns
    -------
    AnnData (n_spots, 0) with ``obs["domain"]``: see `DomainFinder.find`.

    Raises
    ------
    InputError
        As `DomainFinder.find`; if the method is unknown.
    """
    finder = create_domain_finder(method) if isinstance(method, str) else method
    if isinstance(section, AnnData) and not is_prediction(section):
        section = raw_counts(section, where="the section")
    return finder.find(section, n_domains=n_domains, features=features)


def find_domains_file(
    section: DataConfig,
    *,
    out: Path | str,
    spec: TileSpec = TileSpec(),  # noqa: B008  frozen
    overwrite: bool = False,
    method: str | DomainFinder = DEFAULT,
    n_domains: int | None = None,
) -> AnnData:
    """Read a section or a prediction, find its domains, and write them.

    Parameters
    ----------
    section
        One section; a file of counts, with ``obsm["spatial"]`` or spots named as "12x15" where places are wanted and no
        image where the method does not look; or a prediction.
    out
        The ``.h5ad``.
    spec
        Size and scale of the tiles, for methods that look.
    overwrite
        Whether a file that is there is replaced.
    method, n_domains
        As for `find_domains`.

    Raises
    ------
    InputError
        As `find_domains`; if the data cannot be read, there are several sections, or the place is taken or cannot be
        written to.
    """
    out = Path(out)
    require_free_file(out, what="the domains", overwrite=overwrite, endings=(".h5ad",), made_of=[section.path])
    finder = create_domain_finder(method) if isinstance(method, str) else method
    found = find_domains(_read(section, finder, spec), n_domains=n_domains, method=finder)
    write_prediction(found, out)
    return found


def _read(section: DataConfig, finder: DomainFinder, spec: TileSpec) -> Section | AnnData:
    path = Path(section.path)
    alone = section.format in (None, "h5ad", BARE) and holds_counts_alone(path)
    if alone and looks_like_h5ad(path) and (said := _prediction(path)) is not None:
        return said
    if is_bare(section):
        require_blind(finder, section, label=finder.name)
    if not alone or finder.looks:
        return read_one(section, spec)
    counts = read_counts(path, what="the section")
    if finder.needs_places and keys.SPATIAL not in counts.obsm:
        return read_bare_section(path, spec=spec, pitch_um=section.pitch_um)
    if keys.SECTION not in counts.obs:
        counts.obs[keys.SECTION] = path.name.partition(".")[0]
    return counts


def _prediction(path: Path) -> AnnData | None:
    """Return what a file holds if it is a prediction, an imputation or an enhancement."""
    if path.is_dir():
        return None
    try:
        said = read_prediction(path)
    except InputError:
        return None
    return said if is_prediction(said) else None
