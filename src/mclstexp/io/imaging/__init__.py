"""Assays that image single molecules (Xenium, CosMx, MERSCOPE), read from the files that their makers write.

Each reader fills `Cells`; `section_of` pools them and lays them on the H&E image.
"""

from mclstexp.io.imaging.cosmx import looks_like_cosmx, read_cosmx
from mclstexp.io.imaging.merscope import looks_like_merscope, read_merscope
from mclstexp.io.imaging.xenium import looks_like_xenium, read_xenium

__all__ = [
    "looks_like_cosmx",
    "looks_like_merscope",
    "looks_like_xenium",
    "read_cosmx",
    "read_merscope",
    "read_xenium",
]
