"""Fetching one file: resumed where it was cut off, checked, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mclstexp.core.errors import InputError
from mclstexp.io.atomic import atomic_path

CHECKSUMS: Final = "checksums.json"
"""Beside the data: the SHA-256 of each file fetched, by name. Later fetches are held to it."""
_CHUNK: Final = 1 << 20
_TIMEOUT_S: Final = 60


def fetch(url: str, target: Path, *, sha256: str | None, token: str | None = None) -> Path:
    """Fetch a file; one that is there and whole is not fetched again.

    A file whose hash is not known in advance is trusted the first time; its hash is then kept in ``checksums.json``
    beside it, and from then on any other content is refused.

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

    Raises
    ------
    InputError
        If the server cannot be reached or refuses, the transfer is cut off (what has come is kept, and the next
        try goes on from there), or the content is not what it should be.
    """
    lock = target.parent / CHECKSUMS
    known = _read_lock(lock)
    expected = sha256 or known.get(target.name)
    if target.is_file() and expected is not None and _hash(target) == expected:
        return target
    part = target.with_name(f".{target.name}.part")
    _transfer(url, part, token=token)
    found = _hash(part)
    if expected is not None and found != expected:
        part.unlink()
        msg = (
            f"content with SHA-256 {expected[:12]}… expected from {url}, found {found[:12]}…: it is damaged or changed"
        )
        raise InputError(msg)
    part.replace(target)
    with atomic_path(lock) as path:
        path.write_text(json.dumps({**known, target.name: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_lock(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        return {}
    try:
        known = json.loads(lock.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"checksums by file name expected in {lock}, found no JSON: restore or remove it"
        raise InputError(msg) from error
    return dict(known)


def _transfer(url: str, part: Path, *, token: str | None) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    done = part.stat().st_size if part.is_file() else 0
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            if done and answer.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing is missing; the hash decides
            _refuse(answer, url)
            resumed = answer.status_code == requests.codes.partial_content
            _write(answer, part, start=done if resumed else 0)
    except (requests.RequestException, OSError) as error:
        reason = type(error).__name__
        msg = (
            f"{url} could not be fetched whole, found the transfer cut off or refused ({reason}): run it again to go on"
        )
        raise InputError(msg) from error


def _refuse(answer: requests.Response, url: str) -> None:
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        msg = (
            f"leave to fetch {url} expected, found it refused ({answer.status_code}): accept the data set's terms on "
            "its page and set HF_TOKEN to a token of your account"
        )
        raise InputError(msg)
    if not answer.ok:
        msg = f"a file expected at {url}, found HTTP {answer.status_code} {answer.reason}: check the name or try later"
        raise InputError(msg)


def _write(answer: requests.Response, part: Path, *, start: int) -> None:
    length: Mapping[str, str] = answer.headers
    total = start + int(length["Content-Length"]) if "Content-Length" in length else None
    columns = (TextColumn(part.name[1:-5]), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        Progress(*columns, transient=True, disable=not os.isatty(2)) as bar,
        part.open("ab" if start else "wb") as file,
    ):
        task = bar.add_task("", total=total, completed=start)
        for chunk in answer.iter_content(_CHUNK):
            file.write(chunk)
            bar.advance(task, len(chunk))
    if total is not None and part.stat().st_size != total:
        msg = f"{part.stat().st_size} of {total} bytes came"
        raise OSError(msg)
