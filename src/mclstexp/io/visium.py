"""10x Visium: the `outs` folder of Space Ranger 1, 2 and 3, with its full-resolution image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io import tenx
from mclstexp.io.guard import first_of, guarded
from mclstexp.io.pitch import VISIUM_PITCH_UM, VISIUM_SPOT_UM, choose_mpp, hexagonal_um, mpp_from_array
from mclstexp.io.slides import open_slide, probe_slide
from mclstexp.io.spaceranger import (
    IMAGE_SUFFIXES,
    Files,
    find_image,
    find_matrix,
    first_scalefactors,
    has_positions,
    image_folders,
    images_in,
    pictures_in,
    root_of,
    sample_name,
    stored_pictures,
)
from mclstexp.io.tenx_positions import POSITION_FILES, read_positions
from mclstexp.io.witnesses import Evidence, Finding, Statement, settle_mpp, tell, weigh

__all__ = ["IMAGE_SUFFIXES", "looks_like_visium", "read_files", "read_visium", "section_on", "slide_with_mpp"]

_AGGREGATED = ("aggr_tissue_positions.csv", "aggr_tissue_positions.csv.gz")
_ENOUGH = 10
"""Spots from which their array must fit."""


def looks_like_visium(path: Path | str) -> bool:
    """Whether `path` is a Space Ranger folder of the (not HD) Visium assay, of one sample or aggregated."""
    spatial = root_of(Path(path)) / "spatial"
    return spatial.is_dir() and (has_positions(spatial) or any((spatial / name).is_file() for name in _AGGREGATED))


@guarded("a Space Ranger folder")
def read_visium(
    path: Path | str,
    *,
    spec: TileSpec = TileSpec(),  # noqa: B008 — frozen
    mpp: float | None = None,
    image: Path | str | None = None,
    id: str | None = None,  # noqa: A002 — the field's name in Section
    patient: str | None = None,
) -> Section:
    """Read one Visium section from Space Ranger's output.

    Parameters
    ----------
    path
        The ``outs`` folder (or the folder that holds it), with ``filtered_feature_bc_matrix.h5`` or the mtx trio
        and ``spatial/tissue_positions*``; tables plain or gzipped.
    spec
        Size and scale of the tiles.
    mpp
        µm per pixel of the image; by default fitted to the array, whose spots lie 100 µm apart.
    image
        The full-resolution image that Space Ranger was run on; by default the one found in the folder. Naming
        ``tissue_hires_image.png`` reads that reduced image instead: coordinates are scaled to it.
    id
        Name of the section; the sample folder's name by default.
    patient
        Whom it comes from; not known by default, for Space Ranger does not say.

    Returns
    -------
    Section
        Spots under tissue. `counts.obs` has 10x's columns as they are in the file, `counts.var` the ``gene_id``;
        a symbol shared by several genes is followed by the id.

    Raises
    ------
    InputError
        If a file is absent or damaged, barcodes do not join or are of several samples, there is no image or its scale
        is not known.
    """
    root = root_of(Path(path))
    if not root.is_dir():
        msg = f"a Space Ranger folder expected at {root}, found none: check the path"
        raise InputError(msg)
    name, spatial = id or sample_name(root), root / "spatial"
    aggregated = next((file for file in _AGGREGATED if (spatial / file).is_file()), None)
    if aggregated is not None:
        msg = f"{name}: one sample expected, found an aggregation of several samples (spaceranger aggr; {aggregated}): "
        raise InputError(msg + "give each sample's own folder")
    files = Files(
        name=name,
        positions=first_of(spatial, POSITION_FILES, what="tissue positions"),
        matrix=find_matrix(root, tenx.MATRICES),
        factors=first_scalefactors(spatial),
        pictures=pictures_in(spatial),
        images=tuple(path for folder in image_folders(root) for path in images_in(folder)),
        where=root,
        cytassist=any(spatial.glob("cytassist_image*")),
    )
    return read_files(files, spec=spec, mpp=mpp, image=image, patient=patient)


def read_files(
    files: Files, *, spec: TileSpec, mpp: float | None, image: Path | str | None, patient: str | None
) -> Section:
    """Read one Visium section from files that may lie anywhere; see `read_visium`."""
    positions = read_positions(files.positions)
    tenx.require_one_sample(positions.index, where=files.name)
    picture, scale = find_image(files, image)
    xy = positions[[keys.PXL_COL, keys.PXL_ROW]].to_numpy() * scale
    fitted = mpp_from_array(hexagonal_um(positions[keys.ARRAY_ROW], positions[keys.ARRAY_COL]), xy)
    slide, statements = open_with(picture, mpp, spots=fitted, id=files.name)
    factors = files.scalefactors()
    evidence = evidence_of(files, factors, xy, slide=slide, scale=scale, statements=statements)
    findings = weigh(evidence)
    if fitted is None and len(positions) > _ENOUGH:
        text = f"the places do not follow Visium's array: check that {files.positions.name} is of this section"
        findings.append(Finding("spots", text))
    tell(findings, where=files.name)
    matrix = tenx.matrix_of(files.matrix, positions.index)
    tenx.require_one_sample(matrix.obs_names, where=files.name)
    counts = tenx.join(matrix, positions, where=files.name)
    counts.uns.update({keys.PITCH_UM: VISIUM_PITCH_UM, keys.SPOT_DIAMETER_UM: VISIUM_SPOT_UM})
    if files.cytassist:
        counts.uns[keys.CYTASSIST] = True
    return section_on(slide, counts, spec=spec, scale=scale, patient=patient)


def evidence_of(
    files: Files,
    factors: dict[str, Any],
    xy: Float[np.ndarray, "n 2"],
    *,
    slide: Slide,
    scale: float,
    statements: list[Statement],
) -> Evidence:
    """Fill an `Evidence` from Space Ranger's files; `scale` leads from full-resolution pixels to the image's."""
    diameter = factors.get("spot_diameter_fullres")
    stated = isinstance(diameter, int | float) and diameter > 0
    bins = "bin_size_um" in factors
    return Evidence(
        slide=slide,
        xy=xy,
        scales=tuple(statements),
        spot_px=float(diameter) * scale if stated and not bins else None,  # type: ignore[arg-type]
        visium=not bins,
        pictures=stored_pictures(files, factors),
        image_scale=scale,
    )


def open_with(
    picture: Path,
    mpp: float | None,
    *,
    stated: list[Statement] | None = None,
    spots: float | None,
    id: str,  # noqa: A002 — the field's name in Slide
) -> tuple[Slide, list[Statement]]:
    """Open an image at the µm per pixel that was given, else `stated`, else what spots or its header say.

    Returns the slide and all that was said of its scale, the most trusted first.
    """
    statements = [] if mpp is None else [Statement("the given mpp", mpp)]
    statements += stated or []
    if spots is not None:
        statements.append(Statement("the spots' spacing", spots, of_spots=True))
    if (header := probe_slide(picture).mpp) is not None:
        statements.append(Statement("the image's header", header))
    return open_slide(picture, id=id, mpp=settle_mpp(statements, where=id)), statements


def section_on(slide: Slide, counts: AnnData, *, spec: TileSpec, scale: float, patient: str | None) -> Section:
    """Build a section from counts whose `obs` has 10x's position columns.

    `scale` leads from full-resolution pixels to those of `slide`; where it is not 1 it is kept in
    ``uns["image_scale"]``.
    """
    if scale != 1:
        counts.uns["image_scale"] = scale
    tiles = Tiles(
        slide=slide,
        xy=counts.obs[[keys.PXL_COL, keys.PXL_ROW]].to_numpy(np.float64) * scale,
        ids=counts.obs_names.to_numpy().astype(np.str_),
        spec=spec,
        array_xy=counts.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64),
    )
    return Section(id=slide.id, patient=patient, tiles=tiles, counts=counts)


def slide_with_mpp(
    picture: Path,
    mpp: float | None,
    *,
    measured: float | None,
    id: str,  # noqa: A002 — the field's name in Slide
    hint: str = "",
) -> Slide:
    """Open a slide at the µm per pixel that `choose_mpp` settles on.

    Raises
    ------
    InputError
        If the image cannot be read or no source knows its scale.
    """
    header = probe_slide(picture).mpp
    return open_slide(picture, id=id, mpp=choose_mpp(mpp, measured=measured, header=header, where=id, hint=hint))
