"""`python -m mclstexp`."""
