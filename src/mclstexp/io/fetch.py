"""Fetching one file: whole and checked, or absent."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Final

import pooch
import requests

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

CHECKSUMS: Final = "checksums.json"
"""Beside the data: the SHA-256 of each file fetched, by name. Later fetches are held to it."""
_TIMEOUT_S: Final = (5.0, 60.0)
"""To connect, and between two pieces of an answer."""


def fetch(url: str, target: Path, *, sha256: str | None, token: str | None = None) -> str:
    """Fetch a file from its beginning, through pooch; nothing of a broken transfer stays behind.

    Parameters
    ----------
    url
        Where it lies.
    target
        Where to.
    sha256
        Its hash where it is known.
    token
        Sent as a bearer token, for data behind an agreement.

    Returns
    -------
    SHA-256 of what came.

    Raises
    ------
    InputError
        If the server cannot be reached or refuses, the transfer is cut off, the disk is full, or the content is not
        what it should be.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with atomic_path(target) as path:
        try:
            pooch.HTTPDownloader(headers=headers, timeout=_TIMEOUT_S)(url, str(path), None)
        except (requests.RequestException, OSError) as error:
            raise InputError(_reason(error, url)) from error
        found = hash_file(path)
        if sha256 is not None and found != sha256:
            msg = (
                f"content with SHA-256 {sha256[:12]}… expected from {url}, found {found[:12]}…: try again, or if its "
                f"authors changed it remove {target.name} from {CHECKSUMS}"
            )
            raise InputError(msg)
    return found


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checksums(folder: Path) -> dict[str, str]:
    """Read the hashes recorded beside the data in `folder`.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    lock = folder / CHECKSUMS
    if not lock.is_file():
        return {}
    try:
        known = json.loads(lock.read_text(encoding="utf-8"))
    except Exception:  # noqa: BLE001  whatever a damaged record raises
        known = None
    if not isinstance(known, dict):
        msg = f"checksums by file name expected in {lock}, found something else: restore or remove it"
        raise InputError(msg)
    return known


def record_checksum(folder: Path, name: str, sha256: str) -> None:
    """Add a hash to the record beside the data."""
    known = {**read_checksums(folder), name: sha256}
    with atomic_path(folder / CHECKSUMS) as path:
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _reason(error: Exception, url: str) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        code, text = error.response.status_code, error.response.reason
        if code in (requests.codes.unauthorized, requests.codes.forbidden):
            return f"leave to fetch {url} expected, found it refused ({code}): see the data set's page for its terms"
        return f"a file expected at {url}, found HTTP {code} {text}: check the name or try later"
    if isinstance(error, requests.ConnectionError) and "IncompleteRead" not in str(error):
        return f"a connection to {url} expected, found none: check the network, or name a mirror with base_url"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"room on the disk expected for {url}, found it full: make room or choose another place"
    return f"the whole of {url} expected, found the transfer cut off ({type(error).__name__}): run it again"
