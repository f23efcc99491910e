"""Downloads, from a server on this machine: checked, resumed, whole or absent."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.download import SOURCES, download
from mclstexp.io.fetch import fetch
from mclstexp.io.unpack import unpack

HER2ST = SOURCES["her2st"].files["her2st.tar.gz"]


class Server:
    """Serves `files` by path; sends only the first `cut` bytes if that is set; remembers what was asked."""

    def __init__(self):
        self.files, self.cut, self.status, self.asked = {}, None, None, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        self.asked.append((request.path, dict(request.headers)))
        content = self.files.get(request.path.lstrip("/"))
        if content is None or self.status:
            request.send_error(self.status or 404)
            return
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(content) > 0:
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start : self.cut])

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _tar(files, *, kind="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_a_file_is_fetched_once_and_its_hash_kept(server, tmp_path):
    server.files["a/b.bin"] = b"hello"
    for _ in range(2):
        assert fetch(f"{server.url}/a/b.bin", tmp_path / "b.bin", sha256=None).read_bytes() == b"hello"
    assert len(server.asked) == 1
    assert json.loads((tmp_path / "checksums.json").read_text()) == {"b.bin": _sha256(b"hello")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.bin", "checksums.json"]


def test_wrong_content_is_refused_and_removed(server, tmp_path):
    server.files["b.bin"] = b"other"
    with pytest.raises(InputError, match=r"SHA-256 .* expected from .*, found .*damaged or changed"):
        fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=_sha256(b"hello"))
    assert not list(tmp_path.iterdir())


def test_content_that_changed_since_the_first_time_is_refused(server, tmp_path):
    server.files["b.bin"] = b"hello"
    fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None)
    (tmp_path / "b.bin").unlink()
    server.files["b.bin"] = b"hullo"
    with pytest.raises(InputError, match="damaged or changed"):
        fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None)
    assert not (tmp_path / "b.bin").exists()


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    server.files["b.bin"] = b"hello"
    fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None)
    (tmp_path / "b.bin").write_bytes(b"hell")
    assert fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None).read_bytes() == b"hello"


def test_a_cut_transfer_goes_on_where_it_stopped(server, tmp_path, monkeypatch):
    monkeypatch.setattr("mclstexp.io.fetch._CHUNK", 1000)
    content = bytes(range(256)) * 100
    server.files["b.bin"], server.cut = content, 10_000
    with pytest.raises(InputError, match=r"cut off or refused .* run it again to go on"):
        fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=_sha256(content))
    assert [path.name for path in tmp_path.iterdir()] == [".b.bin.part"]
    server.cut = None
    assert fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=_sha256(content)).read_bytes() == content
    assert server.asked[-1][1]["Range"] == "bytes=10000-"


def test_a_transfer_stopped_at_the_very_end_is_finished(server, tmp_path):
    server.files["b.bin"] = b"hello"
    (tmp_path / ".b.bin.part").write_bytes(b"hello")
    assert fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=_sha256(b"hello")).read_bytes() == b"hello"


def test_servers_that_refuse(server, tmp_path):
    with pytest.raises(InputError, match="found HTTP 404"):
        fetch(f"{server.url}/no.bin", tmp_path / "no.bin", sha256=None)
    server.status = 403
    with pytest.raises(InputError, match=r"refused \(403\): accept the data set's terms .* HF_TOKEN"):
        fetch(f"{server.url}/no.bin", tmp_path / "no.bin", sha256=None)
    url = server.url
    server.close()
    with pytest.raises(InputError, match="could not be fetched"):
        fetch(f"{url}/b.bin", tmp_path / "b.bin", sha256=None)
    assert not list(tmp_path.iterdir())


def test_the_token_is_sent_only_if_given(server, tmp_path):
    server.files["b.bin"] = b"hello"
    fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None, token="secret")
    assert server.asked[0][1]["Authorization"] == "Bearer secret"


def test_an_archived_data_set_is_unpacked_without_its_outer_folder(server, tmp_path):
    server.files[HER2ST] = _tar({"her2st-master/data/ST-cnts/A1.tsv": b"x", "her2st-master/README.md": b"y"})
    folder = download("her2st", tmp_path, base_url=server.url)
    assert folder == tmp_path / "her2st"
    assert (folder / "data" / "ST-cnts" / "A1.tsv").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checksums.json", "her2st"]
    download("her2st", tmp_path, base_url=server.url)
    assert len(server.asked) == 1


def test_packed_images_of_cscc_are_unpacked(server, tmp_path):
    image = gzip.compress(b"jpeg")
    content = _tar({"GSM1_P2_ST_rep1.jpg.gz": image, "GSM1_P2_ST_rep1_stdata.tsv.gz": b"t"}, kind="w")
    server.files[SOURCES["cscc"].files["GSE144240_RAW.tar"]] = content
    folder = download("cscc", tmp_path, base_url=server.url)
    assert (folder / "GSM1_P2_ST_rep1.jpg").read_bytes() == b"jpeg"
    assert (folder / "GSM1_P2_ST_rep1_stdata.tsv.gz").is_file()


def test_hest_is_fetched_by_samples(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MCLSTEXP_MIRROR", server.url + "/")
    monkeypatch.setenv("HF_TOKEN", "secret")
    for rest in SOURCES["hest"].files.values():
        server.files[rest.format(sample="T1")] = b"z"
    folder = download("hest", tmp_path, samples=["T1"])
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*T1*"))
    assert files == ["metadata/T1.json", "st/T1.h5ad", "wsis/T1.tif"]
    assert all("Authorization" not in headers for _, headers in server.asked), "a mirror is not told the token"


@pytest.mark.parametrize(
    ("name", "samples", "sentence"),
    [
        ("her2", [], "found 'her2': did you mean 'her2st'"),
        ("hest", [], "fetched by samples, found samples: none"),
        ("cscc", ["P2"], "fetched as a whole, found samples: P2"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, name, samples, sentence):
    with pytest.raises(InputError, match=sentence):
        download(name, tmp_path, samples=samples)


@pytest.mark.parametrize("path", ["../evil.txt", "/evil.txt", "a/../../evil.txt"])
def test_archives_that_lead_out_are_refused(tmp_path, path):
    (tmp_path / "tar").write_bytes(_tar({path: b"x"}))
    with zipfile.ZipFile(tmp_path / "zip", "w") as packed:
        packed.writestr(path, b"x")
    for kind in ("zip",) if path.startswith("/") else ("tar", "zip"):
        with pytest.raises(InputError, match="found one that leads out"):
            unpack(tmp_path / kind, tmp_path / "into" / "data")
    assert not list((tmp_path / "into").iterdir())
    assert not (tmp_path / "evil.txt").exists()


def test_damaged_archives_are_refused(tmp_path):
    (tmp_path / "cut.tar.gz").write_bytes(_tar({"a/b.txt": b"x" * 10_000})[:60])
    (tmp_path / "page.zip").write_bytes(b"<html>not found</html>")
    for name in ("cut.tar.gz", "page.zip"):
        with pytest.raises(InputError, match=r"an archive .* expected in .*, found a file that is damaged"):
            unpack(tmp_path / name, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_zip_archives_are_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("one/a.txt", b"a")
        packed.writestr("two/b.txt", b"b")
    folder = unpack(tmp_path / "data.zip", tmp_path / "data")
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
