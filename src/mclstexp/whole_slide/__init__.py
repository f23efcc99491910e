"""Whole slides: from a pyramid file to a map of expression, at any number of slides."""
