"""Where it lies: one file per outside format."""
