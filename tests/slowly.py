"""A parameter that takes long where others ask the same in less: run with `make test-slow`."""

import pytest


def slowly(*values):
    return pytest.param(*values, marks=pytest.mark.slow)
