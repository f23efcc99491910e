"""HDF5: groups, datasets and attributes changed, lost, turned into others, or led outside."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from fuzz.mutators.values import TEXTS

_OPERATIONS = (
    *("value", "value", "value", "dtype", "shape", "remove", "remove", "rename", "kind", "attribute", "attribute"),
    *("soft link", "external link", "external storage", "virtual", "huge", "names", "order"),
)


def mutate(path: Path, chance: Random) -> str:
    """Change one object of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        datasets = [name for name in names if isinstance(file[name], h5py.Dataset)]
        kind = chance.choice(_OPERATIONS)
        if kind in ("remove", "rename", "kind", "soft link", "external link", "attribute"):
            return _change_object(file, chance.choice(names), kind, chance)
        return _change_dataset(file, chance.choice(datasets), kind, chance)


def _change_object(file: h5py.File, name: str, kind: str, chance: Random) -> str:
    if kind == "attribute":
        attributes = file[name].attrs
        known = [*attributes, "encoding-type"]
        key = chance.choice(known)
        value: Any = chance.choice((*TEXTS[:8], 7, -1.5, "csr_matrix", "dataframe", "categorical", "0.0.9"))
        if chance.random() < 0.3 and key in attributes:
            del attributes[key]
            return f"{name}: attribute {key} removed"
        attributes[key] = str(value).replace("\0", "") if isinstance(value, str) else value
        return f"{name}: attribute {key} = {str(value)[:30]!r}"
    was_group = isinstance(file[name], h5py.Group)
    if kind == "rename":
        file.move(name, name + chance.choice(("x", " ", "é", "\u202e", "/deeper")))
        return f"{name} renamed"
    del file[name]
    if kind == "kind":
        if was_group:
            file[name] = np.arange(3)
        else:
            file.create_group(name)
        return f"{name}: {'a dataset' if was_group else 'a group'} in its place"
    if kind == "soft link":
        file[name] = h5py.SoftLink(chance.choice((f"/{name}", "/nothing", "/")))
    elif kind == "external link":
        file[name] = h5py.ExternalLink(chance.choice(("/etc/hostname", "other.h5")), "/X")
    return f"{name}: {kind}"


def _change_dataset(file: h5py.File, name: str, kind: str, chance: Random) -> str:
    old = file[name]
    attributes, values = dict(old.attrs), old[()]
    if kind == "value" and np.ndim(values) and np.size(values) and np.issubdtype(np.asarray(values).dtype, np.number):
        new = np.array(values)
        pool = (-1, 0, 1, 2**30, np.iinfo(new.dtype).max if np.issubdtype(new.dtype, np.integer) else np.nan)
        with np.errstate(all="ignore"):
            value = np.array(chance.choice((*pool, *((np.inf, 1e300, 0.5) if new.dtype.kind == "f" else ()))))
            new.flat[chance.randrange(new.size)] = value.astype(new.dtype)
        old[()] = new
        return f"{name}: a value {value}"
    del file[name]
    new_values: Any = values
    if kind == "external storage":
        file.create_dataset(name, (16,), "u1", external=[("/etc/hostname", 0, 16)])
    elif kind == "virtual":
        layout = h5py.VirtualLayout((4,), "u1")
        layout[:] = h5py.VirtualSource("/etc/hostname", "X", (4,))
        file.create_virtual_dataset(name, layout)
    elif kind == "huge":
        file.create_dataset(name, (2 ** chance.choice((33, 45)),), "f8", chunks=(1024,))
    elif kind == "dtype":
        new_values = chance.choice(
            (
                np.array([b"a", b"b"], "S"), np.array(1.5), np.zeros(3, "c16"), np.zeros(2, [("a", "i4"), ("b", "f8")]),
                np.full(np.shape(values) or (1,), -1.5), np.full(np.shape(values) or (1,), 2**40, "i8"),
                np.array(["x"] * max(1, np.size(values)), h5py.string_dtype()),
            )
        )  # fmt: skip
        file[name] = new_values
    elif kind == "shape":
        flat = np.asarray(values).ravel()
        file[name] = chance.choice(
            (flat[:0], flat[: flat.size // 2], flat[None], flat.repeat(2), flat[:1].reshape(())[()] if flat.size else 0)
        )
    elif kind == "order" and np.ndim(values):
        file[name] = np.asarray(values)[::-1] if np.asarray(values).dtype.kind != "O" else list(values[::-1])
    else:  # names: all the same
        flat = np.asarray(values).ravel()
        file[name] = [flat[0]] * flat.size if flat.size else 0
    for key, value in attributes.items():
        if chance.random() < 0.9 and isinstance(file.get(name), h5py.Dataset):
            file[name].attrs[key] = value
    return f"{name}: {kind}"
