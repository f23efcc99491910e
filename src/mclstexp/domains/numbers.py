"""Options that are numbers, refused in a sentence where they make no sense."""

from __future__ import annotations

from mclstexp.core.errors import InputError


def require_positive(**numbers: float) -> None:
    """Refuse options that are not above 0.

    Raises
    ------
    InputError
        If one is not.
    """
    for name, value in numbers.items():
        if not value > 0:
            msg = f"{name} above 0 expected, found {value}"
            raise InputError(msg)
