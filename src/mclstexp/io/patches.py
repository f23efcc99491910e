"""`PatchSlide`: HEST's stored patches served as a slide, where the slide itself is absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.spatial import cKDTree

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import Slide, TileSpec
from mclstexp.io.hdf5 import opened_hdf5

PATCH_SPEC = TileSpec(size_px=224, mpp=0.5)
"""What HEST stores: 224 px at 0.5 µm per pixel, 112 µm of tissue."""


class PatchSlide(Slide):
    """Patches of one section; readable only where one is stored and only at `PATCH_SPEC`.

    Parameters
    ----------
    path
        HEST's ``patches/{id}.h5``: ``img`` (n, 224, 224, 3) uint8, ``coords`` (n, 2) upper left corners in level-0
        pixels, ``barcode`` (n, 1).
    id
        Name of the slide.
    mpp
        µm per level-0 pixel.
    size_px
        (width, height) of level 0; just enough for all patches by default.

    Raises
    ------
    InputError
        If the file is damaged or holds patches of another size.
    """

    def __init__(
        self,
        path: Path,
        *,
        id: str,  # noqa: A002 — the field's name in Slide
        mpp: float,
        size_px: tuple[int, int] | None = None,
    ) -> None:
        self.path, self.id, self.mpp = path, id, mpp
        self.barcodes, self.corners = read_places(path)
        side_px = PATCH_SPEC.size_um / mpp
        self.centres = self.corners + side_px / 2
        needed = np.ceil(self.corners.max(axis=0) + side_px).astype(int)
        self.size_px = (int(needed[0]), int(needed[1])) if size_px is None else size_px
        self._tree = cKDTree(self.centres)
        self._side_px, self.stored = side_px, PATCH_SPEC

    def stored_xy(self) -> NDArray[np.float64]:
        """See `Slide.stored_xy`."""
        return self.centres

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Return the stored patch centred on `xy`.

        Raises
        ------
        InputError
            If `spec` is not `PATCH_SPEC` or no patch has its centre there.
        """
        self.check_spec(spec)
        distance, index = self._tree.query(np.asarray(xy, np.float64))
        # corners are stored as whole pixels and the scale is known to about a percent
        if distance > max(2.0, 0.02 * self._side_px):
            msg = (
                f"{self.id}: patches are stored only at the measured spots, found none centred on "
                f"({np.asarray(xy)[0]:.0f}, {np.asarray(xy)[1]:.0f}): fetch the slide (wsis/{self.id}.tif)"
            )
            raise InputError(msg)
        with opened_hdf5(self.path, "HEST patches (h5)") as file:
            return np.asarray(file["img"][int(index)], np.uint8)

    def check_spec(self, spec: TileSpec) -> None:
        """Refuse a tile other than the stored one.

        Raises
        ------
        InputError
            If `spec` is not `PATCH_SPEC`.
        """
        if spec != PATCH_SPEC:
            msg = (
                f"{self.id}: tiles of {PATCH_SPEC.size_px} px at {PATCH_SPEC.mpp} µm/px are all that is stored, found "
                f"{spec.size_px} px at {spec.mpp:g} asked: fetch the slide (wsis/{self.id}.tif) or use {PATCH_SPEC}"
            )
            raise InputError(msg)

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """Return the patches put together on white, the longer side `max_size_px` pixels at most."""
        scale = min(1.0, max_size_px / max(self.size_px))
        width, height = (max(1, round(extent * scale)) for extent in self.size_px)
        canvas = Image.new("RGB", (width, height), "white")
        side = max(1, round(self._side_px * scale))
        with opened_hdf5(self.path, "HEST patches (h5)") as file:
            for patch, corner in zip(file["img"], self.corners * scale, strict=True):
                small = Image.fromarray(patch).resize((side, side), Image.Resampling.BOX)
                canvas.paste(small, (round(corner[0]), round(corner[1])))
        return np.asarray(canvas)

    def fingerprint(self) -> str:
        """Return a hash of all patches and their places."""
        digest = hashlib.sha256(self.corners.tobytes())
        with opened_hdf5(self.path, "HEST patches (h5)") as file:
            for patch in file["img"]:
                digest.update(patch.tobytes())
        return digest.hexdigest()


def read_places(path: Path) -> tuple[list[str], Float[np.ndarray, "n 2"]]:
    """Read barcodes and upper left corners (level-0 pixels) of the stored patches.

    Raises
    ------
    InputError
        If the file is damaged or holds patches of another size.
    """
    with opened_hdf5(path, "HEST patches (h5)") as file:
        shape = file["img"].shape
        corners = np.asarray(file["coords"][:], np.float64)
        stored = np.asarray(file["barcode"][:]).ravel()
    barcodes = [b.decode() if isinstance(b, bytes) else str(b) for b in stored]
    n, side = len(barcodes), PATCH_SPEC.size_px
    if n == 0 or shape != (n, side, side, 3) or corners.shape != (n, 2):
        msg = (
            f"patches of shape (n, {side}, {side}, 3) with n places and n barcodes expected in {path}, found "
            f"img {shape}, coords {corners.shape} and {n} barcodes: fetch it again"
        )
        raise InputError(msg)
    return barcodes, corners
