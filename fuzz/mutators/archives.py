"""Archives: members that lead out, links, devices, floods."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from random import Random

_NAMES = (
    "../out.txt",
    "/etc/out.txt",
    "a/../../out.txt",
    "C:\\out.txt",
    "\\\\host\\out",
    "x" * 300,
    "a\nb",
    "\u202egnp",
    ".",
    "",
)


def mutate(path: Path, chance: Random) -> str:
    """Add a member that must not be unpacked as it asks, or one that is very large."""
    return _zip(path, chance) if zipfile.is_zipfile(path) else _tar(path, chance)


def _zip(path: Path, chance: Random) -> str:
    kind = chance.choice(("name", "twice", "flood", "many", "link"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        if kind == "name":
            archive.writestr(chance.choice(_NAMES) or "..", b"x")
        elif kind == "flood":
            archive.writestr("flood.txt", bytes(40 * 2**20))
        elif kind == "many":
            for number in range(1000):
                archive.writestr(f"many/{number}", b"")
        elif kind == "link":
            info = zipfile.ZipInfo("link")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/hostname")
        else:
            archive.writestr("sub", b"x")
            archive.writestr("sub/inner", b"x")
    return f"zip: {kind}"


def _tar(path: Path, chance: Random) -> str:
    kind = chance.choice(("name", "link", "hard link", "device", "fifo", "clash"))
    info = tarfile.TarInfo(chance.choice(_NAMES) or "..")
    if kind != "name":
        info.name = "sub"
        info.type = {
            "link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "fifo": tarfile.FIFOTYPE,
            "clash": tarfile.REGTYPE,
        }[kind]  # fmt: skip
        info.linkname = chance.choice(("/etc/hostname", "../../x", "nothing"))
    with tarfile.open(path, "a") as archive:
        archive.addfile(info)
        inner = tarfile.TarInfo("sub/inner")
        inner.size = 1
        archive.addfile(inner, io.BytesIO(b"x"))
    return f"tar: {kind}"
