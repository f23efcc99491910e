"""Tissue that is painted: one file per method; a file saved here is a method everywhere."""
