"""beartype as the tests use it: shapes and dtypes of arrays are checked, nothing else.

Other hints are mypy's to check: numpy's `ArrayLike` refuses a tuple at run time, and `Self` needs a whole class.
"""

from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check(function: Callable) -> Callable:
    """Check the array annotations of a function's arguments and results."""
    hints = getattr(function, "__annotations__", {})
    function.__annotations__ = {name: hint if _has_shape(hint) else Any for name, hint in hints.items()}
    return beartype(function)


def _has_shape(hint: object) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_has_shape(part) for part in get_args(hint))
