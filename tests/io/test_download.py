"""Downloads, from a server on this machine: checked, whole or absent."""

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
from mclstexp.io.download import SOURCES, download, list_downloads
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
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: self.cut])

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


def _fetch_sample(server, tmp_path, sample="T1"):
    return download("hest", tmp_path, samples=[sample], base_url=server.url)


def _serve_sample(server, content=b"hello", sample="T1"):
    for rest in SOURCES["hest"].files.values():
        server.files[rest.format(sample=sample)] = content


def test_files_are_fetched_once_and_their_hashes_kept(server, tmp_path):
    _serve_sample(server)
    for _ in range(2):
        folder = _fetch_sample(server, tmp_path)
    assert len(server.asked) == 4
    assert json.loads((folder / "checksums.json").read_text())["st/T1.h5ad"] == _sha256(b"hello")
    assert not list(folder.rglob(".*"))


def test_wrong_content_is_refused_and_leaves_nothing(server, tmp_path):
    server.files["b.bin"] = b"other"
    with pytest.raises(InputError, match=r"SHA-256 .* expected from .*, found .*try again, or .* remove b\.bin from"):
        fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=_sha256(b"hello"))
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_fetched_again_and_held_to_its_first_hash(server, tmp_path):
    _serve_sample(server)
    file = _fetch_sample(server, tmp_path) / "st" / "T1.h5ad"
    file.write_bytes(b"hell")
    _fetch_sample(server, tmp_path)
    assert file.read_bytes() == b"hello"
    file.write_bytes(b"hell")
    _serve_sample(server, b"hullo")
    with pytest.raises(InputError, match="SHA-256"):
        _fetch_sample(server, tmp_path)


def test_a_file_of_ones_own_is_not_replaced(server, tmp_path):
    _serve_sample(server)
    mine = tmp_path / "hest" / "st" / "T1.h5ad"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match="found one of unknown origin: move it away"):
        _fetch_sample(server, tmp_path)
    assert mine.read_bytes() == b"mine"


def test_a_cut_transfer_is_refused_and_leaves_nothing(server, tmp_path):
    content = bytes(range(256)) * 100
    server.files["b.bin"], server.cut = content, 10_000
    with pytest.raises(InputError, match="found the transfer cut off"):
        fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None)
    assert not list(tmp_path.iterdir())
    server.cut = None
    assert fetch(f"{server.url}/b.bin", tmp_path / "b.bin", sha256=None) == _sha256(content)


def test_servers_that_refuse(server, tmp_path):
    with pytest.raises(InputError, match="found HTTP 404"):
        fetch(f"{server.url}/no.bin", tmp_path / "no.bin", sha256=None)
    server.status = 403
    with pytest.raises(InputError, match=r"found it refused \(403\): see the data set's page"):
        fetch(f"{server.url}/no.bin", tmp_path / "no.bin", sha256=None)
    url = server.url
    server.close()
    with pytest.raises(InputError, match=r"a connection to .* expected, found none: check the network"):
        fetch(f"{url}/b.bin", tmp_path / "b.bin", sha256=None)
    assert not list(tmp_path.iterdir())


def test_a_page_in_place_of_an_archive_is_not_remembered(server, tmp_path):
    server.files[HER2ST] = b"<html>please log in</html>"
    with pytest.raises(InputError, match=r"an archive .* expected"):
        download("her2st", tmp_path, base_url=server.url)
    assert not list(tmp_path.iterdir())
    server.files[HER2ST] = _tar({"her2st-master/README.md": b"y"})
    assert (download("her2st", tmp_path, base_url=server.url) / "README.md").is_file()


@pytest.mark.parametrize("damage", ["empty", "missing", "cut"])
def test_a_folder_that_is_not_whole_does_not_count_as_done(server, tmp_path, damage):
    server.files[HER2ST] = _tar({"her2st-master/README.md": b"yes"})
    folder = tmp_path / "her2st"
    if damage == "empty":
        folder.mkdir()
    else:
        download("her2st", tmp_path, base_url=server.url)
        (folder / "README.md").unlink() if damage == "missing" else (folder / "README.md").write_bytes(b"y")
    with pytest.raises(InputError, match="move it away and run again"):
        download("her2st", tmp_path, base_url=server.url)


@pytest.mark.parametrize("content", ["[]", "{", "3"])
def test_a_damaged_record_is_said(server, tmp_path, content):
    (tmp_path / "checksums.json").write_text(content)
    with pytest.raises(InputError, match="checksums by file name expected"):
        download("her2st", tmp_path, base_url=server.url)


def test_a_file_in_the_place_of_the_folder_is_said(server, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="a folder that can be written to expected"):
        download("her2st", tmp_path / "out", base_url=server.url)


def test_every_data_set_says_what_it_is():
    assert set(list_downloads()) == set(SOURCES)
    assert all(len(text) > 20 for text in list_downloads().values())


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
    assert files == ["metadata/T1.json", "patches/T1.h5", "st/T1.h5ad", "wsis/T1.tif"]
    assert all("Authorization" not in headers for _, headers in server.asked), "a mirror is not told the token"


@pytest.mark.parametrize(
    ("name", "samples", "sentence"),
    [
        ("her2", [], "found 'her2': did you mean 'her2st'"),
        ("hest", [], "fetched by samples, found samples: none"),
        ("cscc", ["P2"], "fetched as a whole, found samples: P2"),
        ("hest", ["../../esc"], "names of samples .* found '../../esc'"),
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
    assert sorted(path.name for path in folder.iterdir()) == [".fetched.json", "one", "two"]
