"""Which code ran, so that a number can be traced to it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from mclstexp._version import __version__
from mclstexp.core.code import source_hash

__all__ = ["code_version", "source_hash"]

_PACKAGES = ("numpy", "timm", "torch")


def code_version() -> dict[str, str]:
    """Return the versions of this package, of Python and of what the numbers depend on, and the git commit if any.

    The commit is that of the package's own source checkout, with ``+`` behind it where files differ from it; an
    installed package has none.
    """
    found = {"mclstexp": __version__, "python": platform.python_version()}
    found |= {name: version(name) for name in _PACKAGES}
    commit = _commit(Path(__file__).resolve().parents[3])
    return found | ({"commit": commit} if commit else {})


def _commit(root: Path) -> str:
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    command = [git, "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  no input from outside
    return done.stdout.strip() if done.returncode == 0 else ""
