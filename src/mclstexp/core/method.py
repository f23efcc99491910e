"""`Method`: what every method of every question is: a name, and options that stay as they were fitted."""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from mclstexp.core.code import class_hash
from mclstexp.core.display import html_of
from mclstexp.core.errors import InputError
from mclstexp.core.options import fixed, plain_defaults, without_paths
from mclstexp.core.wording import shown


@dataclass(frozen=True)
class State:
    """What a fitted method must keep, as a saved model stores it."""

    arrays: dict[str, NDArray]
    """Numeric arrays by name (safetensors)."""
    meta: dict[str, Any]
    """Anything else, as plain JSON types."""

    def joined(self, other: State) -> State:
        """Return both, whose names differ, as one."""
        return State(self.arrays | other.arrays, self.meta | other.meta)


class Method(ABC):
    """A dataclass whose fields are its options: every option has a default and a sentence under it.

    Options are plain values, and are fixed: lists become tuples, arrays are copied and closed. After `fit` none can
    be set any more, or the numbers would not be those that the model says of itself.
    """

    name: ClassVar[str] = ""
    """The name it is registered under."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Options that go together, by name; "published" holds the paper's or its code's."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules of an extra that it runs on; where one is not installed it is named, and not run unasked."""
    tuned_on: ClassVar[tuple[str, ...]] = ()
    """Data sets by whose scores its defaults were chosen here, as experiments name them (``[data] name``): its scores
    on these flatter, and no table prints them bold."""
    provenance_: dict[str, Any]
    """Where the fit came from: version, options, training sections and their hashes; set by `fit`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__repr__" not in cls.__dict__:  # a dataclass would write its own, with thirty options and no word of a fit
            cls.__repr__ = Method.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        changed = ", ".join(f"{name}={shown(value)}" for name, value in changed_options(self).items())
        return f"{self.name or type(self).__name__}({changed})" + (
            f": {self._learnt_from}" if self._learnt_from else ""
        )

    def _repr_html_(self) -> str:
        rows = {"state": self._learnt_from or "not fitted"} | {
            name: shown(value) for name, value in options(self).items()
        }
        return html_of(self.name or type(self).__name__, rows)

    @property
    def _learnt_from(self) -> str:
        """Say in a few words what it learnt from; nothing where it has not been fitted."""
        return "fitted" if self.is_fitted else ""

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` or a load has completed."""
        return "provenance_" in self.__dict__

    def __setattr__(self, name: str, value: Any) -> None:
        if name in getattr(self, "__dataclass_fields__", ()):
            self._refuse_when_fitted(name)
            value = fixed(value)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in getattr(self, "__dataclass_fields__", ()):
            self._refuse_when_fitted(name)
        super().__delattr__(name)

    def _refuse_when_fitted(self, name: str) -> None:
        if self.is_fitted:
            msg = (
                f"options of a fitted model stay as they were fitted, found {name} of {self.name or 'a method'} set: "
                f"create a new one with that {name} and fit it"
            )
            raise InputError(msg)

    def _numerics(self) -> dict[str, str]:
        """Say what else moves its numbers here: encoder, its weights, precision, device; nothing by default.

        Asked before a fit, for the key under which its checkpoints lie, and at a prediction.
        """
        return {}


def changed_options(method: Method) -> dict[str, Any]:
    """Return those of a method's options that are not their defaults."""
    defaults = {name: fixed(value) for name, value in plain_defaults(type(method)).items()}
    return {name: value for name, value in options(method).items() if shown(value) != shown(defaults.get(name))}


def options(method: Method) -> dict[str, Any]:
    """Return a method's options by name."""
    fields = dataclasses.fields(method)  # type: ignore[arg-type]  # subclasses are dataclasses
    return {field.name: getattr(method, field.name) for field in fields}


def chosen(method: Method) -> dict[str, Any]:
    """Return what a fit chose for options that were left to it: of an `alpha` that is None, the number `alpha_`."""
    left = [name for name, value in options(method).items() if value is None]
    found = {name: getattr(method, f"{name}_", None) for name in left}
    return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str)}


def described(method: Method) -> dict[str, Any]:
    """Say which unfitted method it is, for keys: name, options, what moves its numbers here, and the code it runs."""
    numerics, said = method._numerics(), options(method)
    if "weights_hash" in numerics and "encoder" in said:  # wherever their file lies
        said["encoder"] = without_paths(said, weights=numerics["weights_hash"])["encoder"]
    return {
        "method": method.name,
        "options": said,
        "numerics": numerics,
        "code": class_hash(type(method)),
    }
