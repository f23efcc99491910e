"""Public data sets by name, fetched from where their authors put them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.io.atomic import atomic_path
from mclstexp.io.fetch import fetch, hash_file, read_checksums, record_checksum
from mclstexp.io.unpack import incomplete, unpack


@dataclass(frozen=True)
class Source:
    """Where a data set lies."""

    base: str
    """Start of its addresses."""
    files: Mapping[str, str]
    """File name here → the rest of its address; ``{sample}`` stands for a sample in both."""
    sha256: Mapping[str, str]
    """Hash by file name, where it is known before the first download."""
    text: str
    """What it is, by whom, under which terms."""
    archive: bool = True
    """Whether its one file is unpacked and then removed."""


SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        # Andersson et al. 2021: counts, spots, labels and images, as the authors' repository has them. It is the
        # branch's newest state, which may change; the archived record is 10.5281/zenodo.4751624
        "her2st": Source(
            "https://github.com",
            {"her2st.tar.gz": "almaan/her2st/archive/refs/heads/master.tar.gz"},
            {},
            text="HER2+ breast, legacy ST, 36 sections (Andersson et al. 2021; see its page for terms)",
        ),
        # Ji et al. 2020, GEO GSE144240
        "cscc": Source(
            "https://ftp.ncbi.nlm.nih.gov",
            {"GSE144240_RAW.tar": "geo/series/GSE144nnn/GSE144240/suppl/GSE144240_RAW.tar"},
            {},
            text="squamous cell carcinoma, legacy ST, 12 sections (Ji et al. 2020, GEO GSE144240)",
        ),
        # Jaume et al. 2024, HEST-1k: sample by sample, behind an agreement
        "hest": Source(
            "https://huggingface.co",
            {
                "st/{sample}.h5ad": "datasets/MahmoodLab/hest/resolve/main/st/{sample}.h5ad",
                "wsis/{sample}.tif": "datasets/MahmoodLab/hest/resolve/main/wsis/{sample}.tif",
                "patches/{sample}.h5": "datasets/MahmoodLab/hest/resolve/main/patches/{sample}.h5",
                "metadata/{sample}.json": "datasets/MahmoodLab/hest/resolve/main/metadata/{sample}.json",
            },
            {},
            text="HEST-1k, sample by sample, behind an agreement (Jaume et al. 2024; CC BY-NC-SA 4.0)",
            archive=False,
        ),
    }
)
"""No hash is written here before somebody has fetched the file and compared it with the authors'."""


def list_downloads() -> dict[str, str]:
    """Return what can be fetched: name → what it is, by whom, under which terms."""
    return {name: source.text for name, source in SOURCES.items()}


def download(name: str, out: Path | str, *, samples: Sequence[str] = (), base_url: str | None = None) -> Path:
    """Fetch a public data set; what is there already and whole is not fetched again.

    Archives are unpacked into ``out/NAME``. Where no hash is known in advance, the first download that could be
    unpacked is trusted and its hash kept in ``checksums.json`` beside the data; later ones are held to it.

    Parameters
    ----------
    name
        One of `list_downloads`.
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
        If the name is unknown, samples are missing or not asked for, a file cannot be fetched or unpacked, or
        something that was not fetched here is in the way.
    """
    if name not in SOURCES:
        msg = f"a known data set expected, found {name!r}: {suggest(name, SOURCES)}"
        raise InputError(msg)
    source, out = SOURCES[name], Path(out)
    samples = _checked(samples, name=name, wanted=not source.archive)
    base = (base_url or os.environ.get("MCLSTEXP_MIRROR") or source.base).rstrip("/")
    if source.archive:
        ((file, rest),) = source.files.items()
        _fetch_archive(f"{base}/{rest}", file, out / name, sha256=source.sha256.get(file))
        return out / name
    # a token is for the host it was made for
    token = os.environ.get("HF_TOKEN") if base == "https://huggingface.co" else None
    for sample in samples:
        for file, rest in source.files.items():
            local, url = file.format(sample=sample), f"{base}/{rest.format(sample=sample)}"
            _fetch_file(url, local, out / name, sha256=source.sha256.get(local), token=token)
    return out / name


def _checked(samples: Sequence[str], *, name: str, wanted: bool) -> list[str]:
    samples = [sample for sample in samples.split(",") if sample] if isinstance(samples, str) else list(samples)
    if wanted != bool(samples):
        found = "none" if wanted else ", ".join(samples)
        msg = f"{name} is fetched {'by samples' if wanted else 'as a whole'}, found samples: {found}"
        raise InputError(msg)
    for sample in samples:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", sample):
            msg = f"names of samples (letters, digits, - and _) expected, found {sample!r}"
            raise InputError(msg)
    return samples


def _fetch_archive(url: str, file: str, folder: Path, *, sha256: str | None) -> None:
    if folder.exists():
        wrong = incomplete(folder)
        if wrong is None:
            return
        msg = f"a data set fetched here, or nothing, expected at {folder}, found {wrong}: move it away and run again"
        raise InputError(msg)
    expected = sha256 or read_checksums(folder.parent).get(file)
    with atomic_path(folder) as temporary:
        archive = temporary.with_name(f"archive-{file}")
        found = fetch(url, archive, sha256=expected)
        unpack(archive, temporary)
    record_checksum(folder.parent, file, found)


def _fetch_file(url: str, local: str, folder: Path, *, sha256: str | None, token: str | None) -> None:
    target, known = folder / local, read_checksums(folder).get(local)
    if target.exists():
        if known is None:
            msg = f"a file fetched here, or none, expected at {target}, found one of unknown origin: move it away"
            raise InputError(msg)
        if hash_file(target) == known:
            return
    record_checksum(folder, local, fetch(url, target, sha256=sha256 or known, token=token))
