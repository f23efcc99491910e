"""Working folders: whose they are, what they are for, and what is left of them."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from filelock import FileLock

from mclstexp.core.errors import InputError
from mclstexp.io.owner import Owner
from mclstexp.io.seal import is_sealed, seal
from mclstexp.io.working import working_folder, working_path

HOLDS = """
import os, sys
from mclstexp.io.working import working_folder
with working_folder(sys.argv[1], doing="fit") as folder:
    folder.keep_only(sys.argv[2])
    (folder.path / "piece").write_text("1")
    print("mine", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path):
    return working_path(tmp_path / "run")


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path), "key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "mine\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_living_owner_is_named_and_a_dead_one_followed(path, holder):
    words = rf"fit of process {holder.pid} on .* since .*: wait for it or choose another out="
    with pytest.raises(InputError, match=words), working_folder(path, doing="fit"):
        pass
    holder.communicate("")  # it is killed
    with working_folder(path, doing="fit") as folder:
        folder.keep_only("key")
        assert (path / "piece").read_text() == "1"
    assert not list(path.parent.iterdir())


def test_without_locks_the_process_it_names_is_asked_after(path, holder, monkeypatch):
    def no_locks(self, *args, **kwargs):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", no_locks)
    with pytest.raises(InputError, match=f"process {holder.pid}"), working_folder(path, doing="fit"):
        pass
    holder.communicate("")
    with working_folder(path, doing="fit"):
        assert Owner.parse(json.loads((path / "owner.json").read_text())["owner"]) == Owner.me()
        assert (path / "piece").exists()
    assert not path.exists()


@pytest.mark.parametrize("to", ["owner.lock", "../elsewhere"])
def test_a_link_in_place_of_the_lock_is_nobodys(path, to):
    with suppress(ZeroDivisionError), working_folder(path, doing="fit") as folder:
        folder.keep_only("key")
        (path / "piece").write_text("1")
        raise ZeroDivisionError
    (path.parent / "elsewhere").write_text("")
    (path / "owner.lock").unlink(missing_ok=True)
    (path / "owner.lock").symlink_to(to)
    with working_folder(path, doing="fit") as folder:
        folder.keep_only("key")
        assert (path / "piece").exists(), "what was kept is still there"
        with pytest.raises(InputError, match="wait for it"), working_folder(path, doing="predict"):
            pass
    assert (path.parent / "elsewhere").read_text() == ""


def test_of_many_at_once_one_has_it(path):
    begin, had, refused = threading.Barrier(8), [], []

    def take():
        begin.wait()
        for _ in range(20):
            try:
                with working_folder(path, doing="fit"):
                    mine = path / "mine"
                    mine.touch(exist_ok=False)
                    had.append(1)
                    mine.unlink()
            except InputError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(had) + len(refused) == 160
    assert all("wait for it" in text for text in refused)
    assert not list(path.parent.iterdir())


def work(path, key):
    """Begin a piece, say whether there was one, and fail."""
    with suppress(RuntimeError), working_folder(path, doing="fit") as folder:
        folder.keep_only(key)
        found = (path / "deep" / "piece").exists()
        (path / "deep").mkdir(exist_ok=True)
        (path / "deep" / "piece").write_text("1")
        raise RuntimeError
    return found


def test_what_another_key_left_is_removed_and_what_this_one_left_stays(path):
    assert [work(path, key) for key in ("one", "one", "two", "two", "one")] == [False, True, False, True, False]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_not_ours_is_set_aside(path, kind):
    theirs = path if kind == "file" else path / "theirs"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("precious")
    with (
        pytest.warns(UserWarning, match=r"set aside as \.run\.partial\.1"),
        working_folder(path, doing="fit") as folder,
    ):
        assert not (folder.path / "theirs").exists()
    aside = path.with_name(".run.partial.1")
    assert (aside if kind == "file" else aside / "theirs").read_text() == "precious"


def test_a_seal_is_of_content_and_key(tmp_path):
    piece = tmp_path / "piece"
    assert not is_sealed(piece)
    piece.write_bytes(b"12345678")
    assert not is_sealed(piece, key="k")
    seal(piece, key="k")
    assert is_sealed(piece, key="k")
    assert not is_sealed(piece, key="l")
    for at in range(8):
        content = bytearray(b"12345678")
        content[at] ^= 1
        piece.write_bytes(content)
        assert not is_sealed(piece, key="k")
    piece.write_bytes(b"12345678")
    assert is_sealed(piece, key="k")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_to_is_a_sentence(path):
    path.parent.chmod(0o500)
    with pytest.raises(InputError, match="choose another place"), working_folder(path, doing="fit"):
        pass
