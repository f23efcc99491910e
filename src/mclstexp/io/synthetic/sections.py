"""Sections of synthetic tissue: an array of spots laid on it, counts drawn from the cells beneath."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.pitch import VISIUM_PITCH_UM, VISIUM_SPOT_UM, hexagonal_um
from mclstexp.io.slides import ArraySlide
from mclstexp.io.synthetic.cells import GLASS, Kind
from mclstexp.io.synthetic.fields import look_up
from mclstexp.io.synthetic.staining import Stain, stain_tissue
from mclstexp.io.synthetic.tissue import Recipe, Tissue, grow_tissue

MARGIN_UM = 90.0
"""Glass around the array."""
PROGRAMMES = (*(kind.name for kind in Kind), "GRADE")
"""What genes follow: how many cells of each kind lie under a spot, and the grade of its tumour cells."""
_MARKERS = 5  # of each programme
_RNA = np.array([0.6, 1.5, 1.2, 0.7, 2.2, 1.0])
"""Molecules per cell of each programme, relative."""


def make_sections(
    n_patients: int = 3,
    sections_per_patient: int = 1,
    *,
    n_spots_side: int = 16,
    n_genes: int = 60,
    mpp: float = 0.5,
    seed: int = 0,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
) -> list[Section]:
    """Make sections whose expression is a known function of what their pixels show.

    The array is Visium's: spots of 55 µm, 100 µm apart, hexagonal. Smooth random regions (tumour, stroma, glands,
    lymphocytes, fat) are filled with cells. The cells are drawn and stained, each section in hues of its own; the
    cells under a spot, times the profile of their kind, give its rates; counts are Poisson of the rates times a
    depth no pixel tells (log-normal). Profiles are shared by all patients but for a tenth.

    Parameters
    ----------
    n_patients, sections_per_patient
        Patients are named P1, P2, …, sections P1_S1, ….
    n_spots_side
        Spots along each side of the array; about three quarters lie under tissue.
    n_genes
        Marker genes of each programme come first, in turn (TUMOUR1, …), the others (GENE001, …) follow a mixture.
    mpp
        µm per pixel of the slides; 2 is quick and still tells the regions apart.
    seed
        Equal seeds give equal sections; how many are made does not change any of them.
    spec
        Size and scale of the tiles.

    Raises
    ------
    InputError
        If a number is not positive or the array is smaller than 3 by 3.
    """
    for name, value, least in (
        ("n_patients", n_patients, 1),
        ("sections_per_patient", sections_per_patient, 1),
        ("n_spots_side", n_spots_side, 3),
        ("n_genes", n_genes, 1),
    ):
        if value < least:
            msg = f"synthetic sections need {name} of at least {least}, found {value}: give a larger one"
            raise InputError(msg)
    profiles = _profiles(default_rng([seed, 0]), n_genes)
    sections = []
    for patient in range(1, n_patients + 1):
        rng = default_rng([seed, patient])
        recipe = Recipe.draw(rng)
        own = profiles * rng.lognormal(0, 0.1, profiles.shape)
        for number in range(1, sections_per_patient + 1):
            rng = default_rng([seed, patient, number])
            tissue, array = _place(rng, n_spots_side, recipe=recipe)
            picture = stain_tissue(rng, tissue, mpp=mpp, stain=Stain.draw(rng))
            slide = ArraySlide(picture, mpp=mpp, id=f"P{patient}_S{number}")
            tiles = _tiles(slide, tissue, array, spec=spec)
            matrix = _count(rng, tissue, tiles.xy_um, profiles=own)
            sections.append(_section(tiles, matrix, patient=f"P{patient}"))
    return sections


def gene_names(n_genes: int) -> list[str]:
    """Return the genes of synthetic sections: markers of each programme in turn, then the others."""
    markers = [f"{programme}{i + 1}" for i in range(_MARKERS) for programme in PROGRAMMES]
    others = [f"GENE{i + 1:03d}" for i in range(max(0, n_genes - len(markers)))]
    return [*markers, *others][:n_genes]


def _profiles(rng: Generator, n_genes: int) -> NDArray[np.float64]:
    """Draw the mean molecules per cell, (n_programmes, n_genes)."""
    names = gene_names(n_genes)
    profiles = np.full((len(PROGRAMMES), n_genes), 0.0)
    for column, name in enumerate(names):
        home = next((row for row, programme in enumerate(PROGRAMMES) if name.rstrip("0123456789") == programme), None)
        if home is None:
            profiles[:-1, column] = rng.gamma(1.2, 0.35, len(PROGRAMMES) - 1)
        else:
            profiles[:-1, column] = rng.uniform(0.01, 0.05)
            profiles[home, column] = rng.lognormal(0.6, 0.4)
    return profiles * _RNA[:, None]


def _place(rng: Generator, n_side: int, *, recipe: Recipe) -> tuple[Tissue, NDArray[np.float64]]:
    """Grow tissue under an array: the tissue, and (array column, array row) of every spot."""
    row, step = (a.ravel() for a in np.mgrid[:n_side, :n_side])
    array = np.column_stack([2 * step + row % 2, row]).astype(np.float64)
    width, height = hexagonal_um(array[:, 1], array[:, 0]).max(axis=0) + 2 * MARGIN_UM
    return grow_tissue(rng, (float(width), float(height)), recipe=recipe), array


def _tiles(slide: ArraySlide, tissue: Tissue, array: NDArray[np.float64], *, spec: TileSpec) -> Tiles:
    xy_um = hexagonal_um(array[:, 1], array[:, 0]) + MARGIN_UM
    under = look_up(tissue.region, xy_um) != GLASS
    array = array[under]
    ids = [f"{int(row)}x{int(column)}" for column, row in array]
    return Tiles(slide=slide, xy=xy_um[under] / slide.mpp, ids=np.array(ids), spec=spec, array_xy=array)


def _count(rng: Generator, tissue: Tissue, xy_um: NDArray, *, profiles: NDArray) -> NDArray[np.int64]:
    """Draw the counts of spots at (n, 2): (n, n_genes)."""
    cells = np.zeros((len(xy_um), len(PROGRAMMES)))
    grade = look_up(tissue.grade, tissue.cells.xy_um)
    for spot, under in enumerate(cKDTree(tissue.cells.xy_um).query_ball_point(xy_um, VISIUM_SPOT_UM / 2)):
        kinds = tissue.cells.kind[under]
        cells[spot, :-1] = np.bincount(kinds, minlength=len(Kind))
        cells[spot, -1] = 2 * grade[under][kinds == Kind.TUMOUR].sum()
    depth = rng.lognormal(np.log(1.6), 0.3, (len(xy_um), 1))
    ambient = 0.01 * profiles.sum(axis=0) * len(PROGRAMMES)  # RNA that has drifted: no spot is empty
    return rng.poisson(depth * (cells @ profiles + ambient))


def _section(tiles: Tiles, matrix: NDArray[np.int64], *, patient: str) -> Section:
    column, row = np.asarray(tiles.array_xy).astype(int).T
    obs = pd.DataFrame(
        {keys.IN_TISSUE: 1, keys.ARRAY_ROW: row, keys.ARRAY_COL: column}, index=pd.Index(tiles.ids.astype(object))
    )
    counts = AnnData(
        sparse.csr_matrix(matrix), obs=obs, var=pd.DataFrame(index=pd.Index(gene_names(matrix.shape[1]), dtype=object))
    )
    counts.uns.update({keys.PITCH_UM: VISIUM_PITCH_UM, keys.SPOT_DIAMETER_UM: VISIUM_SPOT_UM})
    return Section(id=tiles.slide.id, patient=patient, tiles=tiles, counts=counts)
