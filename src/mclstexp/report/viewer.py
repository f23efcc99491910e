"""A deep-zoom viewer for one slide and its prediction, served to this machine's browser and to nobody else."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final

import numpy as np

from mclstexp.core.errors import InputError
from mclstexp.report.viewer_data import SlideView
from mclstexp.report.viewer_door import Strangers, Ticket

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_TILE: Final = re.compile(r"tiles/(\d{1,2})/(\d{1,7})_(\d{1,7})\.jpg", re.ASCII)
_LAYER: Final = re.compile(r"layers/(\d{1,7})\.(json|f32)|layers/(\d{1,7}(?:,\d{1,7})?)\.(geojson)", re.ASCII)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",  # a patient's tissue does not stay in the browser's folder
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_IDLE_S: Final = 120
_STRANGER_S: Final = 10


class Refused(Exception):
    """A request that gets no content, why, and where to go instead."""

    def __init__(self, status: HTTPStatus, reason: str, *, location: str = "") -> None:
        super().__init__(reason)
        self.status, self.location = status, location


class ViewServer(ThreadingHTTPServer):
    """Serves a slide and its prediction on 127.0.0.1; ``serve_forever()`` runs it, ``server_close()`` ends it.

    Who may ask: whoever knows the address, which holds a random token, and has it from this server's own name (a
    foreign page cannot have its name lead here). What can be asked: pictures and layers by number, and the page,
    which is read at the start. No part of an address becomes the name of a file.

    Parameters
    ----------
    view
        What is shown.
    port
        0 takes any that is free.

    Raises
    ------
    InputError
        If the port is taken or not allowed.
    """

    daemon_threads = True
    request_queue_size = 128  # several windows ask at once
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs share the port

    def __init__(self, view: SlideView, *, port: int = 0) -> None:
        self.view, self.token = view, secrets.token_urlsafe(24)
        self.strangers, self.ticket = Strangers(), Ticket()
        self.assets = {asset.name: asset.read_bytes() for asset in _assets() if asset.name.split(".")[-1] in _TYPES}
        self.described = _json(view.describe())
        try:
            super().__init__(("127.0.0.1", port), _Answer)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"a free port expected, found {port} ({reason}): choose another, or leave it out"
            raise InputError(msg) from error
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """What to open, as often as wanted; for the eyes of the user alone."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    @property
    def address_once(self) -> str:
        """What to start a browser with, which others may read: it leads to the address, once."""
        return f"http://127.0.0.1:{self.server_port}/{self.ticket.word}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread."""
        self.strangers.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self.strangers.drop(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that hung up, as it does whenever a picture scrolls out of sight."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def content(self, name: str) -> tuple[str, bytes]:
        """Return what lies at an address behind the token, and its media type.

        Raises
        ------
        Refused
            If nothing does, or the slide cannot be read there.
        """
        name = name or "index.html"
        if name in self.assets:
            return _TYPES[name.rpartition(".")[2]], self.assets[name]
        if name == "slide.json":
            return "application/json", self.described
        if name == "belongs.json":
            return "application/json", _json(self.view.belongs())
        if name == "places.f32":
            return "application/octet-stream", self.view.xy.astype("<f4").tobytes()
        if found := _LAYER.fullmatch(name):
            return self._layers((found[1] or found[3]).split(","), found[2] or found[4])
        if found := _TILE.fullmatch(name):
            return "image/jpeg", self._tile(*map(int, found.groups()))
        raise Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _layers(self, numbers: list[str], form: str) -> tuple[str, bytes]:
        layers = [*map(int, numbers)]
        if max(layers) >= len(self.view.layers):
            raise Refused(HTTPStatus.NOT_FOUND, "no such layer")
        if form == "geojson":
            return "application/geo+json", self.view.geojson(layers).encode()
        if form == "json":
            return "application/json", _json(self.view.peaks(layers[0]))
        return "application/octet-stream", self.view.values(layers[0]).astype("<f4").tobytes()

    def _tile(self, level: int, column: int, row: int) -> bytes:
        try:
            self.view.pyramid.tile_size_px(level, column, row)
        except InputError as error:
            raise Refused(HTTPStatus.NOT_FOUND, "no such picture") from error
        try:
            return self.view.pyramid.jpeg(level, column, row)
        except InputError as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "the slide is damaged here") from error


class _Answer(BaseHTTPRequestHandler):
    """Checks who asks before it looks at what is asked."""

    server: ViewServer
    connection: socket.socket
    protocol_version = "HTTP/1.1"  # connections are kept: a pan asks for dozens of pictures
    server_version, sys_version = "mclstexp", ""
    timeout = _STRANGER_S
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request."""
        try:
            kind, content = self.server.content(self._allowed())
        except Refused as refused:
            self._refuse(refused.status, str(refused), location=refused.location)
            return
        self._send(HTTPStatus.OK, kind, content)

    def _allowed(self) -> str:
        """Return what is asked for behind the token, from one who may ask."""
        if self.headers.get_all("Host") not in [[host] for host in self.server.hosts]:
            msg = f"only port {self.server.server_port} of 127.0.0.1 is answered; over SSH, forward the same number"
            raise Refused(HTTPStatus.FORBIDDEN, msg)
        _, token, name = [*self.path.partition("?")[0].split("/", 2), "", ""][:3]
        if self.server.ticket.takes(token, self.connection):
            raise Refused(HTTPStatus.SEE_OTHER, "once", location=f"/{self.server.token}/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "the address that mclstexp view printed is needed")
        self.server.strangers.drop(self.connection)
        self.connection.settimeout(_IDLE_S)
        return name

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no request in plain words that do not repeat it."""
        self.request_version = self.protocol_version  # or what is taken for HTTP/0.9 is answered without headers
        if code == HTTPStatus.NOT_IMPLEMENTED:  # a method there is no do_… for
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET")
        else:
            self._refuse(HTTPStatus(code), HTTPStatus(code).phrase)

    def _refuse(self, status: HTTPStatus, reason: str, *, location: str = "") -> None:
        self.close_connection = True
        self._send(status, _TYPES["txt"], f"{reason}\n".encode(), location=location)

    def _send(self, status: HTTPStatus, kind: str, content: bytes, *, location: str = "") -> None:
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Length": str(len(content))}
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            own["Allow"] = "GET"
        if self.close_connection:
            own["Connection"] = "close"
        if location:
            own["Location"] = location
        for name, value in {**own, **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name in the standard library
        """Keep quiet: the terminal shows the address, and logs would hold the token."""


def _assets() -> list[Any]:
    return [*files("mclstexp.report").joinpath("viewer_assets").iterdir()]


def _json(value: Any) -> bytes:
    return json.dumps(value, default=np.ndarray.tolist, allow_nan=False).encode()
