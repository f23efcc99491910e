"""10x Visium: the `outs` folder of Space Ranger 1, 2 and 3, with its full-resolution image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io import tenx
from mclstexp.io.entries import entries
from mclstexp.io.guard import first_of, guarded
from mclstexp.io.pitch import VISIUM_PITCH_UM, VISIUM_SPOT_UM, choose_mpp, hexagonal_um, mpp_from_array
from mclstexp.io.slides import open_slide, probe_slide

IMAGE_SUFFIXES = (".tif", ".tiff", ".btf", ".svs", ".ndpi", ".jpg", ".jpeg", ".png")
SCALED_IMAGES = {"tissue_hires_image": "tissue_hires_scalef", "tissue_lowres_image": "tissue_lowres_scalef"}
"""Space Ranger's reduced images and the scale factor that leads to each."""
_NOT_TISSUE = ("cytassist", "aligned_", "detected_", "tissue_hires_image", "tissue_lowres_image")


def looks_like_visium(path: Path | str) -> bool:
    """Whether `path` is a Space Ranger folder of the (not HD) Visium assay."""
    root = _root(Path(path))
    spatial = root / "spatial"
    return spatial.is_dir() and any((spatial / name).is_file() for name in tenx.POSITION_FILES)


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
        and ``spatial/tissue_positions*``.
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
        Whom it comes from; `id` by default, which makes every section its own patient.

    Returns
    -------
    Section
        Spots under tissue. `counts.obs` has 10x's columns as they are in the file, `counts.var` the ``gene_id``;
        a symbol shared by several genes is followed by the id.

    Raises
    ------
    InputError
        If a file is absent or damaged, barcodes do not join, there is no image or its scale is not known.
    """
    root = _root(Path(path))
    if not root.is_dir():
        msg = f"a Space Ranger folder expected at {root}, found none: check the path"
        raise InputError(msg)
    name = id or sample_name(root)
    spatial = root / "spatial"
    positions = tenx.read_positions(first_of(spatial, tenx.POSITION_FILES, what="tissue positions"))
    picture, scale = find_image(image_folders(root), image, spatial=spatial, where=name)
    xy = positions[[keys.PXL_COL, keys.PXL_ROW]].to_numpy() * scale
    fitted = mpp_from_array(hexagonal_um(positions[keys.ARRAY_ROW], positions[keys.ARRAY_COL]), xy)
    slide = slide_with_mpp(picture, mpp, measured=fitted, id=name)
    matrix = tenx.read_matrix(first_of(root, tenx.MATRICES, what="count matrix"))
    counts = tenx.join(matrix, positions, where=name)
    counts.uns.update({keys.PITCH_UM: VISIUM_PITCH_UM, keys.SPOT_DIAMETER_UM: VISIUM_SPOT_UM})
    return section_on(slide, counts, spec=spec, scale=scale, patient=patient or name)


def section_on(slide: Slide, counts: AnnData, *, spec: TileSpec, scale: float, patient: str) -> Section:
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


def find_image(folders: Sequence[Path], image: Path | str | None, *, spatial: Path, where: str) -> tuple[Path, float]:
    """Return the image to read and the factor that leads from full-resolution pixels to its pixels.

    Parameters
    ----------
    folders
        Where to look if no image is given, the likeliest first.
    image
        The path given by the caller.
    spatial
        Folder of the scale factors, read only for Space Ranger's reduced images.
    where
        Name of the section, for messages.

    Raises
    ------
    InputError
        If there is no image, several could be meant, or the scale factor is missing.
    """
    if image is None:
        return _search(folders, where=where), 1.0
    picture = Path(image)
    if not picture.is_file():
        msg = f"{where}: an image expected at {picture}, found no such file: check {word('image')}"
        raise InputError(msg)
    factor = next((key for stem, key in SCALED_IMAGES.items() if picture.stem.endswith(stem)), None)
    if factor is None:
        return picture, 1.0
    path = spatial / "scalefactors_json.json"
    scale = tenx.read_scalefactors(path).get(factor)
    if not isinstance(scale, int | float) or not scale > 0:
        msg = (
            f"{where}: a positive {factor} expected in {path}, found {scale!r}: give the full-resolution image instead"
        )
        raise InputError(msg)
    return picture, float(scale)


def _search(folders: Sequence[Path], *, where: str) -> Path:
    for folder in folders:
        found = [
            path
            for path in entries(folder)
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(_NOT_TISSUE)
        ]
        named = [path for path in found if path.stem.lower().endswith("image")]
        found = named if len(named) == 1 else found
        if len(found) == 1:
            return found[0]
        if found:
            listed = f"{len(found)} ({', '.join(path.name for path in found[:4])})"
            msg = f"{where}: one full-resolution image expected in {folder}, found {listed}: give {word('image')}"
            raise InputError(msg)
    msg = (
        f"{where}: the full-resolution image that Space Ranger was run on expected beside its output, found none in "
        f"{' or '.join(map(str, folders))}: give {word('image')} (tissue_hires_image.png is read only if named)"
    )
    raise InputError(msg)


def _root(path: Path) -> Path:
    return path / "outs" if (path / "outs").is_dir() else path


def image_folders(root: Path) -> list[Path]:
    """Return where a sample's image may lie: beside the output, or beside ``outs``."""
    return [root, root.parent] if root.name == "outs" else [root]


def sample_name(root: Path) -> str:
    """Return the sample's name: that of the folder around ``outs``."""
    root = root.resolve()
    return root.parent.name if root.name == "outs" else root.name
