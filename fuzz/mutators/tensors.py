"""safetensors: a header that says something else than what lies behind it, and numbers that are none."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import safetensors.numpy

from fuzz.mutators.values import any_value


def mutate(path: Path, chance: Random) -> str:
    """Change a tensor so that the file is still one, or its header so that it may not be."""
    data = path.read_bytes()
    if chance.random() < 0.6:
        return _change_tensor(path, safetensors.numpy.load(data), _header(data)[1].get("__metadata__"), chance)
    end, header = _header(data)
    names = [name for name in header if name != "__metadata__"]
    part = chance.choice(("dtype", "shape", "data_offsets", "length", "metadata", "any"))
    if part == "length":
        path.write_bytes(struct.pack("<Q", chance.choice((0, 1, 2**40, 2**63, end - 9))) + data[8:])
        return "header: length"
    if part == "metadata" or not names:
        header["__metadata__"] = chance.choice((None, {}, {"key": 7}, {"key": "x", "epoch": "-1", "history": "["}, "x"))
    elif part == "any":
        header[chance.choice(names)] = any_value(chance)
    else:
        values: dict[str, tuple[Any, ...]] = {
            "dtype": ("F64", "I8", "BOOL", "F16", "nothing", 7),
            "shape": ([], [1], [2**40, 2**40], [-1], "x"),
            "data_offsets": ([0, 0], [8, 0], [0, 2**60], [1], "x"),
        }
        header[chance.choice(names)][part] = chance.choice(values[part])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[end:])
    return f"header: {part}"


def _change_tensor(path: Path, tensors: dict[str, np.ndarray], metadata: Any, chance: Random) -> str:
    name = chance.choice(sorted(tensors))
    array = tensors.pop(name)
    kind = chance.choice(("remove", "rename", "nan", "huge", "shape", "longer", "dtype", "empty", "extra", "negative"))
    if kind == "rename":
        tensors[name + "x"] = array
    elif kind in ("nan", "huge", "negative"):
        new = np.array(array)
        value = {"nan": np.nan, "huge": 3e38, "negative": -1}[kind]
        if new.size and not (kind != "negative" and new.dtype.kind != "f"):
            with np.errstate(all="ignore"):
                new.flat[chance.randrange(new.size)] = np.array(value).astype(new.dtype)
        tensors[name] = new
    elif kind == "shape":
        tensors[name] = array.reshape(-1)
    elif kind == "longer":
        tensors[name] = np.concatenate([np.atleast_1d(array)] * 2)
    elif kind == "dtype":
        with np.errstate(all="ignore"):
            tensors[name] = np.nan_to_num(array).astype(chance.choice(("f8", "i4", "u1", "f2")))
    elif kind == "empty":
        tensors[name] = np.zeros(0, array.dtype)
    elif kind == "extra":
        tensors |= {name: array, "nobody": np.zeros(3, np.float32)}
    path.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
    return f"tensor {name}: {kind}"


def _header(data: bytes) -> tuple[int, dict[str, Any]]:
    """Return where the header ends and what it says."""
    end = 8 + struct.unpack_from("<Q", data)[0]
    return end, json.loads(data[8:end])
