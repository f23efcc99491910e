"""Results that people can open: one self-contained page, and a viewer of whole slides."""
