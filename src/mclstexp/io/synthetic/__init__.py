"""Synthetic sections: H&E and counts that follow from one hidden map of cells, for tests and the demo."""

from mclstexp.io.synthetic.sections import gene_names, make_sections

__all__ = ["gene_names", "make_sections"]
