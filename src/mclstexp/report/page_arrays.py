"""Numbers in a page: eight bits a value, deflated, as text."""

from __future__ import annotations

import base64
import zlib
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

STEPS: Final = 254
"""Steps between the lowest and the highest value of a gene."""
MISSING: Final = 255
"""Code of what has no value."""


def scales(*arrays: Float[np.ndarray, "_ n_genes"]) -> Float[np.ndarray, "n_genes 2"]:
    """Return the lowest and highest finite value of each gene over all arrays; (0, 0) where there is none."""
    low = np.min([np.min(values, axis=0, initial=np.inf, where=np.isfinite(values)) for values in arrays], axis=0)
    high = np.max([np.max(values, axis=0, initial=-np.inf, where=np.isfinite(values)) for values in arrays], axis=0)
    ends = np.column_stack([low, high]).astype(np.float64)
    return np.where(np.isfinite(ends), ends, 0.0)


def quantise(
    values: Float[np.ndarray, "n_spots n_genes"], scale: Float[np.ndarray, "n_genes 2"]
) -> UInt8[np.ndarray, "n_genes n_spots"]:
    """Write values as steps of a gene's scale, gene by gene.

    Parameters
    ----------
    values
        (n_spots, n_genes), within the scale; what is not finite becomes `MISSING`.
    scale
        (n_genes, 2) lowest and highest value.

    Returns
    -------
    (n_genes, n_spots) uint8 q: the value is low + q / 254 · (high - low), off by at most a 508th of (high - low).
    """
    low, high = scale[:, :1], scale[:, 1:]
    span = np.where(high > low, high - low, 1.0)
    steps = np.rint((values.T - low) / span * STEPS)
    return np.where(np.isfinite(values.T), np.clip(np.nan_to_num(steps), 0, STEPS), MISSING).astype(np.uint8)


def pack(array: np.ndarray) -> str:
    """Return the array's bytes (little-endian, C order) as base64 of a raw deflate stream."""
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(squeezed.compress(raw) + squeezed.flush()).decode("ascii")
