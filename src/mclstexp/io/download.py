"""Public data sets by name, fetched from where their authors put them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.io.fetch import fetch
from mclstexp.io.unpack import unpack


@dataclass(frozen=True)
class Source:
    """Where a data set lies."""

    base: str
    """Start of its addresses."""
    files: Mapping[str, str]
    """File name here → the rest of its address; ``{sample}`` stands for a sample in both."""
    sha256: Mapping[str, str]
    """Hash by file name, where it is known before the first download."""
    archive: bool = True
    """Whether its one file is unpacked and then removed."""


SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        # Andersson et al. 2021: counts, spots, labels and images, as the authors' repository has them
        "her2st": Source("https://github.com", {"her2st.tar.gz": "almaan/her2st/archive/refs/heads/master.tar.gz"}, {}),
        # the same study's archived record, 10.5281/zenodo.4751624, all its files in one archive
        "her2st-zenodo": Source("https://zenodo.org", {"her2st-zenodo.zip": "api/records/4751624/files-archive"}, {}),
        # Ji et al. 2020, GEO GSE144240
        "cscc": Source(
            "https://ftp.ncbi.nlm.nih.gov",
            {"GSE144240_RAW.tar": "geo/series/GSE144nnn/GSE144240/suppl/GSE144240_RAW.tar"},
            {},
        ),
        # Jaume et al. 2024, HEST-1k: sample by sample, behind an agreement
        "hest": Source(
            "https://huggingface.co",
            {
                "st/{sample}.h5ad": "datasets/MahmoodLab/hest/resolve/main/st/{sample}.h5ad",
                "wsis/{sample}.tif": "datasets/MahmoodLab/hest/resolve/main/wsis/{sample}.tif",
                "metadata/{sample}.json": "datasets/MahmoodLab/hest/resolve/main/metadata/{sample}.json",
            },
            {},
            archive=False,
        ),
    }
)
"""No hash is written here before somebody has fetched the file and compared it with the authors'."""


def download(name: str, out: Path | str, *, samples: Sequence[str] = (), base_url: str | None = None) -> Path:
    """Fetch a public data set.

    Archives are unpacked into ``out/NAME``. Where no hash is known in advance, the first download is trusted and its
    hash kept in ``checksums.json`` beside the data; later ones are held to it.

    Parameters
    ----------
    name
        One of `SOURCES`.
    out
        Folder that holds data sets.
    samples
        For "hest": which samples.
    base_url
        Start of the addresses, for a mirror; also by the environment variable ``MCLSTEXP_MIRROR``.

    Returns
    -------
    The data set's folder, as `read_sections` takes it.

    Raises
    ------
    InputError
        If the name is unknown, samples are missing or not asked for, or a file cannot be fetched or unpacked.
    """
    if name not in SOURCES:
        msg = f"a known data set expected, found {name!r}: {suggest(name, SOURCES)}"
        raise InputError(msg)
    source, out = SOURCES[name], Path(out)
    by_sample = any("{sample}" in file for file in source.files)
    if by_sample != bool(samples):
        found = "none" if by_sample else ", ".join(samples)
        msg = f"{name} is fetched {'by samples' if by_sample else 'as a whole'}, found samples: {found}"
        raise InputError(msg)
    base = (base_url or os.environ.get("MCLSTEXP_MIRROR") or source.base).rstrip("/")
    folder = out / name
    if source.archive and folder.is_dir():
        return folder
    for file, rest in source.files.items():
        for sample in samples or [""]:
            local = file.format(sample=sample)
            target = out / local if source.archive else folder / local
            # a token is for the host it was made for
            token = os.environ.get("HF_TOKEN") if base == "https://huggingface.co" else None
            fetch(f"{base}/{rest.format(sample=sample)}", target, sha256=source.sha256.get(local), token=token)
            if source.archive:
                unpack(target, folder)
                target.unlink()
    return folder
