"""mclSTExp (Min et al., arXiv 2407.08216), the one method large enough for a folder: options, and two protocols."""

from mclstexp.methods.mclstexp.method import MclSTExp

__all__ = ["MclSTExp"]
