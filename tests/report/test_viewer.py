"""The viewer's server: who is let in, what can be asked, and that it is what the two files hold."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image

from made_prediction import corner_slide, made_prediction
from mclstexp.cli.viewing import _has_screen
from mclstexp.core.errors import InputError
from mclstexp.report.viewer import ViewServer
from mclstexp.report.viewer_data import SlideView
from processes import HEARD, IGNORED, mclstexp, started
from slowly import slowly


@pytest.fixture
def asked(server, monkeypatch):
    """Ask for a path as it is written, behind the token or not; return status, headers and content."""
    # http.client would not send letters that are not ASCII; a stranger would
    monkeypatch.setattr(http.client.HTTPConnection, "_encode_request", lambda self, text: text.encode())
    monkeypatch.setattr(http.client.HTTPConnection, "_validate_path", lambda self, path: None)

    def asked(path, *, token=True, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest(method, f"/{server.token}/{path}" if token else path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    return asked


def test_the_page_is_given_to_who_has_the_address(server, asked):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", server.address)
    status, headers, content = asked("")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>" in content
    assert server.token.encode() not in content
    for name in re.findall(rb'(?:href|src)="([^"]+)"', content):
        assert asked(name.decode())[0] == 200
    assert b"Redistribution" in asked("licences.txt")[2]
    assert asked("", Host=f"localhost:{server.server_port}")[0] == 200


def test_tokens_are_fresh(view, server):
    with ViewServer(view) as other:
        assert other.token != server.token
        assert other.server_address[0] == "127.0.0.1", "other machines cannot reach it"


@pytest.mark.parametrize("path", ["/", "", "/slide.json", "//slide.json", "/wrong/slide.json", "/é/", "/%C3%A9/", "*"])
def test_nobody_without_the_token_is_let_in(path, asked):
    status, headers, content = asked(path, token=False)
    assert (status, content) == (403, b"the address that mclstexp view printed is needed\n")
    assert headers["Connection"] == "close"


def test_a_part_of_the_token_is_none(server, asked):
    for token in (server.token[:-1], server.token + "x", server.token.swapcase()):
        assert asked(f"/{token}/slide.json", token=False)[0] == 403
    assert asked(f"http://127.0.0.1:{server.server_port}/{server.token}/", token=False)[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "evil.example:PORT", "127.0.0.1:1", ""])
def test_a_foreign_name_that_leads_here_is_refused(host, server, asked):
    status, _, content = asked("slide.json", Host=host.replace("PORT", str(server.server_port)))
    assert (status, content[:10]) == (403, b"only port ")


def told(server, text):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as raw, raw.makefile("rb") as answer:
        raw.sendall(text.encode())
        return answer.read()


def test_two_hosts_or_none_are_refused(server):
    for hosts in ("", f"Host: 127.0.0.1:{server.server_port}\r\nHost: evil.example\r\n"):
        answer = told(server, f"GET /{server.token}/slide.json HTTP/1.1\r\n{hosts}\r\n")
        assert answer.startswith(b"HTTP/1.1 403")


def test_what_is_no_request_is_not_repeated(server):
    for text in ("GET / <script>x</script> HTTP/1.1\r\n\r\n", "<script>\r\n\r\n", f"GET /{'x' * 70000}\r\n\r\n"):
        answer = told(server, text)
        assert b"<script" not in answer
        assert b"Content-Security-Policy" in answer
        assert answer.endswith((b"\nBad Request\n", b"\nRequest-URI Too Long\n", b"\nURI Too Long\n"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD", "NONSENSE"])
def test_only_get_is_answered(method, asked):
    status, headers, _ = asked("slide.json", method=method)
    assert (status, headers["Allow"]) == (405, "GET")
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        *("secret.txt", "corner.h5ad", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd"),
        *("....//secret.txt", "..\\secret.txt", "viewer_assets/../viewer.py", "viewer.py", "__init__.py", "%00", "."),
        *("tiles/0/../0_0.jpg", "tiles/1/0_0.jpg/../../secret.txt", "tiles/1/0_0.png", "tiles/-1/0_0.jpg"),
        *(
            "tiles/2/0_0.jpg",
            "tiles/1/2_0.jpg",
            "tiles/1/0_2.jpg",
            "tiles/\u0661/0_0.jpg",
            "layers/5.json",
            "layers/-1.f32",
        ),
        *("layers/99999999.f32", "layers/ROW.json", "index.html/", "SLIDE.JSON"),
    ],
)
def test_no_other_file_can_be_asked_for(path, asked):
    status, _, content = asked(path)
    assert (status, content) == (404, b"nothing here\n") or (status, content[:8]) == (404, b"no such ")


def test_no_request_opens_a_file(server, asked, monkeypatch, view):
    """The pixels of a plain image are in memory after the first tile, so that nothing at all need be opened."""
    view.pyramid.jpeg(1, 1, 1)
    view.pyramid._kept.clear()
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args) if event == "open" and watching else None)
    watching = True
    for path in ("", "viewer.js", "slide.json", "places.f32", "layers/0.f32", "tiles/1/0_0.jpg", "../secret.txt"):
        asked(path)
    watching = False
    assert opened == []


def test_answers_forbid_all_that_is_not_theirs(asked):
    for path in ("", "viewer.js", "slide.json", "tiles/0/0_0.jpg", "layers/0.json", "nothing"):
        headers = asked(path)[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Python" not in headers["Server"]


def test_a_taken_port_is_said(server, view):
    for port in (server.server_port, 70000):
        with pytest.raises(InputError, match="a free port expected"):
            ViewServer(view, port=port)


def test_layers_are_the_columns_of_the_prediction(view, asked):
    predicted = made_prediction()
    said = json.loads(asked("slide.json")[2])
    assert said["layers"] == ["COLUMN", "ROW", "CALM", "DARK", "reference_distance"]
    assert (said["n_genes"], said["n_tiles"], said["mpp"]) == (4, predicted.n_obs, 4.0)
    assert (said["size_px"], said["max_level"], said["side_px"]) == ([900, 600], 1, 28.0)
    assert said["layers"][said["first"]] == "COLUMN", "the one that varies most"
    places = np.frombuffer(asked("places.f32")[2], "<f4").reshape(-1, 2)
    np.testing.assert_allclose(places, predicted.obsm["spatial"])
    for number in range(4):
        np.testing.assert_array_equal(np.frombuffer(asked(f"layers/{number}.f32")[2], "<f4"), predicted.X[:, number])
    last = np.frombuffer(asked("layers/4.f32")[2], "<f4")
    np.testing.assert_array_equal(last, predicted.obs["reference_distance"])
    assert said["unit"] == "log10(1 + counts per 10,000)" or "1 + counts" in said["unit"]
    assert len(said["outline"]) == 3, "two regions, one with a hole"
    assert said["regions"] == [*map(str, predicted.obs["tissue"])]


def test_a_layer_says_its_limits_and_where_it_is_highest(asked):
    said = json.loads(asked("layers/0.json")[2])
    predicted = made_prediction()
    column = predicted[:, "COLUMN"].X.ravel()
    assert said["limits"] == pytest.approx([*np.nanquantile(column, [0.01, 0.99])])
    best = said["peaks"][0]
    assert best["xy"][0] > np.quantile(predicted.obsm["spatial"][:, 0], 0.9)


@pytest.mark.parametrize(
    ("sigint", "how", "code", "word"),
    [
        slowly(HEARD, signal.SIGINT, 0, ""),
        slowly(HEARD, signal.SIGTERM, 143, "mclstexp: ended by SIGTERM\n"),
        (IGNORED, signal.SIGTERM, 143, "mclstexp: ended by SIGTERM\n"),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM where SIGINT is ignored"],
)
def test_the_command_serves_until_it_is_interrupted(folder, sigint, how, code, word):
    words = mclstexp("view", folder / "corner.png", folder / "corner.h5ad", "--no-open", sigint=sigint)
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        _, _, host, token, _ = address.split("/")
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", f"/{token}/slide.json")
        assert json.loads(connection.getresponse().read())["slide"] == "corner"
        assert process.poll() is None
        if sigint is IGNORED:
            process.send_signal(signal.SIGINT)
            connection.request("GET", f"/{token}/slide.json")
            assert connection.getresponse().read()
        process.send_signal(how)  # while a connection is open
        assert process.wait(timeout=60) == code
        connection.close()
        assert (process.stdout.read(), process.stderr.read()) == ("Ctrl-C ends it\n", word)


def test_the_command_opens_the_browser(folder, said, monkeypatch):
    opened = []

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address.split("/")))
    monkeypatch.setattr(ViewServer, "serve_forever", interrupt)
    monkeypatch.setenv("DISPLAY", ":0")
    words = "view", folder / "corner.png", folder / "corner.h5ad"
    code, text, _ = said(*words, "--gene", "ROW")
    printed = text.split()[0].split("/")
    assert (code, len(opened), opened[0][:3]) == (0, 1, printed[:3])
    assert opened[0][3] != printed[3], "other users see with what a program was started"
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert _has_screen() == (sys.platform in ("darwin", "win32"))
    code, text, errors = said("view", folder / "corner.h5ad", folder / "corner.png")
    assert (code, text, errors.count("\n")) == (2, "", 1)


def test_the_browser_is_started_with_a_word_that_works_once(server, view, asked, monkeypatch):
    with ViewServer(view) as other:
        assert other.address_once not in (other.address, server.address_once)
    path = server.address_once.removeprefix(f"http://127.0.0.1:{server.server_port}")
    if sys.platform == "linux":
        with monkeypatch.context() as patch:
            patch.setattr("mclstexp.report.viewer_door.os.getuid", lambda: -1)
            assert asked(path, token=False)[0] == 403, "another user may not have it, and does not use it up"
    status, headers, content = asked(path, token=False)
    assert (status, headers["Location"], content) == (303, f"/{server.token}/", b"once\n")
    assert asked(path, token=False)[0] == 403, "it was used"


def test_who_hangs_or_trickles_keeps_nobody_out(server, asked):
    before = threading.active_count()
    with ExitStack() as open_ones:
        for number in range(80):
            raw = open_ones.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=10))
            raw.sendall(b"GET /" if number % 2 else b"")
        assert asked("slide.json")[0] == 200
        deadline = time.monotonic() + 60
        while threading.active_count() > before + 33 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before + 33


def test_who_showed_the_token_is_not_hung_up_on(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", f"/{server.token}/slide.json")
    first = connection.getresponse().read()
    socket_then = connection.sock
    with ExitStack() as open_ones:
        for _ in range(40):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=10))
        connection.request("GET", f"/{server.token}/slide.json")
        assert connection.getresponse().read() == first
        assert connection.sock is socket_then
    connection.close()


def test_many_ask_at_once_and_get_what_one_gets(view, server, asked):
    """Without the pictures that are kept; from a slide OpenSlide reads, see the slow tests."""
    paths = [f"tiles/{level}/{x}_{y}.jpg" for level, x, y in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1)]]
    paths += ["slide.json", "layers/0.f32", "layers/1.json"]
    alone = [asked(path)[2] for path in paths]
    view.pyramid._kept.clear()
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda path: asked(path)[2], 6 * paths))
    assert together == 6 * alone


def test_a_large_slide_is_compared_when_the_page_asks(folder, tmp_path, monkeypatch, view, asked):
    assert asked("belongs.json")[2] == b"true"
    image = corner_slide().thumbnail(900).copy()
    image[5, 5] = 0
    Image.fromarray(image).save(tmp_path / "corner.png")
    with pytest.raises(InputError, match=r"that was predicted, corner.png, expected at .*corner.png, found another"):
        SlideView(tmp_path / "corner.png", folder / "corner.h5ad")
    monkeypatch.setattr("mclstexp.report.viewer_input._QUICK_BYTES", 10)
    with ViewServer(SlideView(tmp_path / "corner.png", folder / "corner.h5ad")) as other:
        assert other.content("belongs.json")[1] == b"false"
