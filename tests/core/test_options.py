"""Options from files and flags: typed, or refused in one sentence."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.options import describe_options, options_from_text, typed_options


@dataclass
class Base:
    encoder: str = "densenet121"
    """Frozen encoder."""


@dataclass
class Recipe(Base):
    """Not about a field."""

    k: int | None = None
    """How many; None:
    chosen."""
    radii_um: tuple[float, ...] = (300.0,)
    """Radii."""
    scale: Literal["spot", "gene"] = "spot"
    """What is scaled."""
    quick: bool = False
    """Quick."""
    names: tuple[str, ...] = field(default=())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=5", {"k": 5}),
        ("k=none", {"k": None}),
        ("encoder=none", {"encoder": "none"}),
        ("encoder=5", {"encoder": "5"}),
        ("encoder=a=b", {"encoder": "a=b"}),
        ("radii_um=300,600", {"radii_um": (300.0, 600.0)}),
        ("radii_um=300", {"radii_um": (300.0,)}),
        ("radii_um=[1, 2.5]", {"radii_um": (1.0, 2.5)}),
        ("radii_um=", {"radii_um": ()}),
        ("scale=gene", {"scale": "gene"}),
        ("quick=true", {"quick": True}),
        ("names=a,b", {"names": ("a", "b")}),
    ],
)
def test_flags_take_the_type_of_their_field(text, value):
    assert options_from_text(Recipe, [text], where="recipe") == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kk=5", r"^recipe has no option 'kk': did you mean 'k'\?$"),
        ("xyz=5", r"recipe has no option 'xyz': choose one of encoder, k, radii_um"),
        ("k=five", r"^recipe: k must be int \| None, found 'five'$"),
        ("k=5.5", r"k must be int \| None, found '5.5'"),
        ("scale=both", r"scale must be 'spot' or 'gene', found 'both'"),
        ("radii_um=a,b", r"radii_um must be tuple\[float, \.\.\.\], found 'a,b'"),
        ("k", r"option must be written NAME=VALUE, found 'k'"),
    ],
)
def test_what_does_not_fit_is_said(text, sentence):
    with pytest.raises(InputError, match=sentence):
        options_from_text(Recipe, [text], where="recipe")


def test_an_option_comes_once():
    with pytest.raises(InputError, match="'k' must be given once, found '1' and '2'"):
        options_from_text(Recipe, ["k=1", "k=2"], where="recipe")


def test_files_take_the_type_of_their_field():
    assert typed_options(Recipe, {"radii_um": [1, 2], "k": 3}, where="recipe") == {"radii_um": (1.0, 2.0), "k": 3}


def test_fields_are_described_by_the_sentence_under_them():
    options = {option.name: option for option in describe_options(Recipe)}
    assert options["encoder"].text == "Frozen encoder."
    assert options["k"].text == "How many; None:\nchosen."
    assert options["names"].text == ""
    assert options["radii_um"].default == (300.0,)
