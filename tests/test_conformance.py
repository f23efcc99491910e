"""What every registered method promises, whoever wrote it; the answer cannot reach a prediction among it."""

import pytest

from mclstexp.evaluation.conformance import CHECKS, Subject
from mclstexp.methods import create, list_methods
from small_methods import small_methods, small_sections

METHODS = small_methods()
ALL = [
    pytest.param(
        method, id=method.label, marks=[pytest.mark.slow] if method.name in {m.name for m in METHODS[:i]} else []
    )
    for i, method in enumerate(METHODS)
]
"""One way of each method by default, its other ways with `make test-slow`."""


@pytest.fixture(scope="module")
def subjects():
    sections = small_sections()
    return {method.label: Subject(method.create, sections) for method in METHODS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("method", ALL)
def test_it_keeps_the_promise(method, check, subjects):
    check(subjects[method.label])  # raises AssertionError with the sentence


@pytest.mark.parametrize("name", list_methods())
def test_every_preset_is_a_set_of_its_options(name):
    for preset in list_methods()[name].presets:
        assert create(name, preset=preset).name == name
