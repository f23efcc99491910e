"""What a saved model holds, checked against what it says of itself before anything is computed with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.core.options import build
from mclstexp.core.predictor import State
from mclstexp.core.wording import shown

T = TypeVar("T")


def stored_arrays(state: State, layout: Mapping[str, str], **sizes: int) -> list[NDArray]:
    """Return arrays of real numbers by name, once their shapes agree with each other and with `sizes`.

    Parameters
    ----------
    state
        What was saved.
    layout
        The axes of each array, as in ``{"coef": "features genes", "intercept": "genes"}``; an axis that is named twice
        has one length.
    sizes
        Lengths that are known.

    Raises
    ------
    InputError
        If one is missing, holds something else than real numbers, or has another shape.
    """
    lengths, found = dict(sizes), []
    for name, axes in layout.items():
        array = state.arrays.get(name)
        if array is None:
            msg = f"weights {name!r} ({axes}) of a saved model expected, found none of that name: copy the model again"
            raise InputError(msg)
        expected = [lengths.get(axis) for axis in axes.split()]
        fits = array.ndim == len(expected) and all(
            n > 0 and wanted in (None, n) for n, wanted in zip(array.shape, expected, strict=True)
        )
        if not fits or array.dtype.kind != "f":
            said = ", ".join(f"{n or 'some'} {axis}" for axis, n in zip(axes.split(), expected, strict=True))
            msg = (
                f"weights {name!r} of a saved model as real numbers ({said}) expected, found {array.dtype} of shape "
                f"{array.shape}: copy the model again"
            )
            raise InputError(msg)
        lengths |= dict(zip(axes.split(), array.shape, strict=True))
        found.append(array)
    return found


def stored_number(state: State, name: str, *, low: int = 0, high: int | None = None) -> int:
    """Return a whole number.

    Raises
    ------
    InputError
        If it is missing, of another type, or out of range.
    """
    value = state.meta.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and low <= value and (high is None or value <= high):
        return value
    wanted = f"of {low} or more" if high is None else f"from {low} to {high}"
    msg = f"a saved model's {name}, a whole number {wanted}, expected, found {shown(value)}: copy the model again"
    raise InputError(msg)


def stored_texts(state: State, name: str, *, among: Collection[str] | None = None) -> tuple[str, ...]:
    """Return a list of texts, of those in `among` if it is given.

    Raises
    ------
    InputError
        If it is missing, empty or holds anything else.
    """
    value = state.meta.get(name)
    found = tuple(value) if isinstance(value, list) and all(isinstance(text, str) for text in value) else ()
    if found and (among is None or set(found) <= set(among)):
        return found
    msg = f"a saved model's {name}, a list of texts, expected, found {shown(value)}: copy the model again"
    raise InputError(msg)


def stored_patients(state: State) -> tuple[str | None, ...]:
    """Return whom each measured spot comes from; None where nobody said.

    Raises
    ------
    InputError
        If it is missing, empty or holds anything else.
    """
    value = state.meta.get("patients")
    if isinstance(value, list) and value and all(who is None or isinstance(who, str) for who in value):
        return tuple(value)
    msg = f"a saved model's patients, a list of texts or null, expected, found {shown(value)}: copy the model again"
    raise InputError(msg)


def stored_encoder(state: State) -> dict[str, str]:
    """Return what a model remembers of its frozen encoder; nothing if it has none.

    Raises
    ------
    InputError
        If that is no name and hash.
    """
    value = state.meta.get("encoder")
    if value == {} or (
        isinstance(value, dict)
        and {"name", "weights_hash"} <= set(value)
        and all(isinstance(text, str) for text in value.values())
    ):
        return cast("dict[str, str]", value)
    msg = f"name and hash of a saved model's encoder expected, found {shown(value)}: copy the model again"
    raise InputError(msg)


def stored_part(state: State, name: str, cls: type[T]) -> T:
    """Return a dataclass of options that was saved as such.

    Raises
    ------
    InputError
        If it is missing, or a field is unknown or of another type.
    """
    value = state.meta.get(name)
    if not isinstance(value, dict):
        msg = f"a saved model's {name} by name expected, found {shown(value)}: copy the model again"
        raise InputError(msg)
    return build(cls, cast("dict[str, Any]", value), where=f"a saved model's {name}")
