"""Whether a section's spots lie where its image says, and where they lie if not: placing by stain and expression."""

from mclstexp.alignment.align import Alignment, align, align_by_landmarks
from mclstexp.alignment.landmarks import read_landmarks
from mclstexp.alignment.placement import Placement

__all__ = ["Alignment", "Placement", "align", "align_by_landmarks", "read_landmarks"]
