"""`Enhancer`: what every method is that says what lies between the spots of a section."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from mclstexp._version import __version__
from mclstexp.core import identity, keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.fine_lattice import fine_tiles
from mclstexp.core.measured import has_counts
from mclstexp.core.method import Method, options
from mclstexp.core.room import Room
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles

ROOM: Final[Room[Enhancer]] = Room("mclstexp.enhancement", question="enhancement")
register = ROOM.register
MIN_SPOTS: Final = 10
DETECTED: Final = 0.1
"""Share of the spots that must hold a count of a gene for it to be enhanced unasked."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What a method sees: the spots that are given, and the places that are asked for."""

    given: Tiles
    """Where the spots with counts lie."""
    values: Float[np.ndarray, "n_given n_genes"]
    """Their expression; 0 is no count."""
    asked: Tiles
    """Where an answer is wanted, spots among them."""
    counts: AnnData
    """Raw counts of the same spots and genes, for methods that count."""

    @property
    def mean(self) -> Float[np.ndarray, " n_genes"]:
        """Each gene's mean over the given spots."""
        return self.values.mean(axis=0)


@dataclass(frozen=True, eq=False)
class Enhanced:
    """What a method says of the places."""

    values: Float[np.ndarray, "n_asked n_genes"]
    """Expression, on the scale of `Ground`."""
    variance: Float[np.ndarray, "n_asked n_genes"] | None = None
    """Of the expression there (without a spot's own noise), where the method knows it."""


class Enhancer(Method):
    """A method that says what lies between the spots, from the spots of the same section.

    Subclasses are dataclasses whose fields are their options: every option has a default and a sentence under it. They
    write `_enhance`; the public method checks and is final. Nothing is kept between calls.
    """

    @final
    def enhance(
        self,
        section: Section,
        *,
        factor: int = 2,
        places: Tiles | None = None,
        genes: Sequence[str] | None = None,
    ) -> AnnData:
        """Say what is expressed on a finer lattice, or at places of one's own.

        Parameters
        ----------
        section
            A measured section. Spots without counts are not learnt from.
        factor
            How many times finer than the array: 2 adds the middle between neighbouring spots.
        places
            Where instead: tiles of the same slide (`Tiles.grid`).
        genes
            Which are returned; by default those that a tenth of the spots have counts of. A method learns from these
            and from the named ones, whichever are returned: naming fewer changes no value of a gene among them.

        Returns
        -------
        AnnData (n_places, n_genes): `X` float32 in log10(1 + 10⁴ · share of the counts of all genes that were learnt
        from), ``obs["in_section"]`` (whether a spot with counts lies there), ``obsm["spatial"]`` in pixels of the
        slide, ``layers["variance"]`` where the method knows it, ``uns["mclstexp"]`` how it was made. What was measured
        stands on this scale in `measured_beside`.

        Raises
        ------
        InputError
            If the array is no lattice, fewer than ten spots have counts, the places lie on another slide, or a gene is
            not there.
        RuntimeError
            If the method returned a wrong shape or a number that is not finite.
        """
        asked = fine_tiles(section.tiles, factor=factor) if places is None else places
        slide = section.tiles.slide
        if asked.slide is not slide and asked.slide.fingerprint() != slide.fingerprint():
            msg = f"places on the slide of section {section.id} expected, found some on {asked.slide.id}: use one slide"
            raise InputError(msg)
        wanted = _wanted(section, genes)
        space = ExpressionSpace(_learnt_from(section, wanted))
        kept = has_counts(section, space=space)
        if kept.sum() < MIN_SPOTS:
            msg = (
                f"section {section.id}: at least {MIN_SPOTS} spots with counts of the genes expected, found "
                f"{kept.sum()} of {len(kept)}: choose other genes"
            )
            raise InputError(msg)
        given = section.take(kept)
        counts = given.counts[:, list(space.genes)].copy()
        found = self._enhance(Ground(given.tiles, space(given.counts).astype(np.float64), asked, counts))
        self._check(found, (len(asked), len(space.genes)))
        columns = pd.Index(space.genes).get_indexer(pd.Index(wanted))
        enhanced = ad.AnnData(
            X=found.values[:, columns].astype(np.float32),
            obs=_obs(section, given.tiles, asked),
            var=pd.DataFrame(index=pd.Index(wanted, dtype=object)),
            obsm={keys.SPATIAL: np.asarray(asked.xy)},
            uns={keys.PROVENANCE: self._describe(given, asked, space=space)},
        )
        if len(wanted) < len(space.genes):
            enhanced.uns[keys.PROVENANCE][keys.PANEL] = np.array(space.genes, object)
        if found.variance is not None:
            enhanced.layers[keys.VARIANCE] = found.variance[:, columns].astype(np.float32)
        return enhanced

    def _check(self, found: Enhanced, shape: tuple[int, int]) -> None:
        for values in (found.values, found.variance):
            if values is not None and (values.shape != shape or not np.isfinite(values).all()):
                msg = f"{self.name} returned shape {values.shape} (expected {shape}) or numbers that are not finite"
                raise RuntimeError(msg)

    def _describe(self, given: Section, asked: Tiles, *, space: ExpressionSpace) -> dict[str, Any]:
        return {
            "question": "enhance",
            "method": self.name,
            "version": __version__,
            # h5ad keeps no None and no nested tuple: options travel as text
            "options": {name: repr(value) for name, value in options(self).items()},
            "numerics": self._numerics(),
            "section": identity.of_section(given),
            "n_spots": len(given),
            "space": space.record(),
            # what the viewer asks for
            "slide": asked.slide.id,
            "slide_mpp": asked.slide.mpp,
            "slide_size_px": list(asked.slide.size_px),
            "spec": dataclasses.asdict(asked.spec),
            **_stride(asked),
        }

    @abstractmethod
    def _enhance(self, ground: Ground) -> Enhanced:
        """Return (n_asked, n_genes) values; all that may be looked at is in `ground`."""


def measured_beside(enhanced: AnnData, counts: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
    """Return what was measured of an enhanced section's genes, on its scale.

    Parameters
    ----------
    enhanced
        What `Enhancer.enhance` returned, with all or some of its genes.
    counts
        (n_spots, n) raw counts of the section it was made from, or of some of its spots.

    Raises
    ------
    InputError
        If a gene was not measured.
    """
    made = enhanced.uns[keys.PROVENANCE]
    panel = pd.Index([str(gene) for gene in made.get(keys.PANEL, enhanced.var_names)], dtype=object)
    space = dataclasses.replace(ExpressionSpace.of_record(made["space"]), genes=tuple(panel))
    return space(counts)[:, panel.get_indexer(enhanced.var_names)]


def _wanted(section: Section, genes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the genes that are told; of those that are named, ones that were measured."""
    if genes is None:
        usual = tuple(map(str, section.counts.var_names[_often(section)]))
        if not usual:
            msg = f"section {section.id}: genes counted in {DETECTED:.0%} of the spots expected, found none: name genes"
            raise InputError(msg)
        return usual
    names = (genes,) if isinstance(genes, str) else tuple(map(str, genes))
    if not names:
        msg = f"genes to enhance expected, found none: name some with {word('genes')}, or leave it out"
        raise InputError(msg)
    ExpressionSpace(names).panel(section.counts[:0])  # refuses names twice, and genes that were not measured
    return names


def _learnt_from(section: Section, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the genes that a method sees, in the section's order: those that are told, and those told by default.

    Shares of a few genes' own counts would say which of them a spot has most of, and of a single one nothing.
    """
    return tuple(map(str, section.counts.var_names[_often(section) | section.counts.var_names.isin(list(wanted))]))


def _often(section: Section) -> Bool[np.ndarray, " n_genes"]:
    return np.diff(section.counts.X.tocsc().indptr) > DETECTED * len(section)


def _obs(section: Section, given: Tiles, asked: Tiles) -> pd.DataFrame:
    """Say of each place which it is: array coordinates, the section, and whether a given spot lies there."""
    apart, _ = cKDTree(given.xy).query(asked.xy)
    obs = pd.DataFrame({keys.IN_SECTION: apart < 0.5, keys.SECTION: section.id}, index=asked.ids)
    if asked.array_xy is not None:
        obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW] = asked.array_xy.T
    return obs


def _stride(asked: Tiles) -> dict[str, float]:
    """Say how far apart places lie, µm: how wide one is drawn; nothing of a single one."""
    if len(asked) < 2:
        return {}
    apart, _ = cKDTree(asked.xy_um).query(asked.xy_um, k=2)
    return {"stride_um": float(np.median(apart[:, 1]))}
