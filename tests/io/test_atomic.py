"""Replacing a file or a folder: whole, old or new, whatever happens."""

import os
import subprocess
import sys

import pytest

from mclstexp.core.errors import InputError
from mclstexp.io import atomic
from mclstexp.io.atomic import atomic_path, remove_tree, restore, sweep
from mclstexp.io.owner import Owner

# replaces `folder` and a file in a fork that dies at its n-th act on the file system, for every n there is
KILLED = """
import os, sys
from pathlib import Path
from mclstexp.io import atomic

os.fsync = lambda descriptor: None  # a kill takes nothing from the system, and it is slow
here, can_exchange = Path(sys.argv[1]), sys.argv[2] == "True"
if not can_exchange:
    atomic.exchange = lambda one, other: False
left = [0]
ACTS = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "open", "shutil.rmtree", "os.scandir", "ctypes.dlsym")

def count(event, arguments):
    if armed and event in ACTS:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), 9)

armed = False
sys.addaudithook(count)

def write(text):
    with atomic.atomic_path(here / "folder") as path:
        path.mkdir()
        (path / "a").write_text(text)
        (path / "b").write_text(text)
    with atomic.atomic_path(here / "file") as path:
        path.write_text(text)

write("old")
for n in range(1, 500):
    pid = os.fork()
    if pid == 0:
        left[0], armed = n, True
        write("new")
        os._exit(0)
    ended = os.waitpid(pid, 0)[1]
    atomic.restore(here / "folder")
    atomic.restore(here / "file")
    said = {tuple(sorted(path.name for path in here.iterdir()))}
    said |= {((here / "folder" / "a").read_text(), (here / "folder" / "b").read_text())}
    assert said in ({("file", "folder"), ("old", "old")}, {("file", "folder"), ("new", "new")}), (n, said)
    assert (here / "file").read_text() in ("old", "new")
    if ended == 0:
        break
    write("old")
print(n)
"""


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_process_killed_at_any_act_leaves_the_old_or_the_new(tmp_path, can_exchange):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(can_exchange)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert 15 < int(done.stdout) < 499


def write(path, text):
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "a").write_text(text)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_there_comes_back_if_the_last_step_fails(tmp_path, monkeypatch, error):
    write(tmp_path / "folder", "old")
    monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    replace, n = type(tmp_path).replace, iter(range(9))

    def failing(self, target):
        if next(n) == 1:
            raise error
        return replace(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", failing)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else InputError):
        write(tmp_path / "folder", "new")
    monkeypatch.undo()
    assert (tmp_path / "folder" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def scratch_of(owner, folder, name="p.h5ad"):
    path = folder / f".{name}.{owner}.abcdefgh"
    path.mkdir()
    (path / name).write_text("half")
    return path


def dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(timeout=30)
    return Owner(Owner.me().machine, process.pid, 1)


def test_scratch_of_the_dead_goes_and_that_of_the_living_stays(tmp_path):
    gone, ours = scratch_of(dead(), tmp_path), scratch_of(Owner.me(), tmp_path)
    far = scratch_of(Owner("0" * 8, 1, 1), tmp_path)
    similar = tmp_path / ".p.h5ad.abcdefgh"
    similar.mkdir()
    restore(tmp_path / "p.h5ad")
    assert not gone.exists()
    assert all(path.exists() for path in (ours, far, similar))
    os.utime(far, (0, 0))
    os.utime(far / "p.h5ad", (0, 0))
    restore(tmp_path / "p.h5ad")
    assert not far.exists()


def test_a_number_given_again_is_not_its_old_owner(tmp_path):
    me = Owner.me()
    assert not me.is_gone()
    assert Owner.parse(str(me)) == me
    assert Owner.parse("p.h5ad") is None
    if me.start:
        assert Owner(me.machine, me.pid, me.start + 1).is_gone()


def test_sweeping_a_folder_takes_every_name(tmp_path):
    scratch_of(dead(), tmp_path)
    scratch_of(dead(), tmp_path, name="scores.csv")
    (tmp_path / "p.h5ad").write_text("whole")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5ad"]


def test_a_long_name_has_room_for_its_owner(tmp_path):
    name = "n" * 250 + ".csv"
    with atomic_path(tmp_path / name) as path:
        path.write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_goes_at_once_and_a_missing_one_is_no_matter(tmp_path):
    write(tmp_path / "folder", "1")
    remove_tree(tmp_path / "folder")
    remove_tree(tmp_path / "folder")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises(InputError, match="choose another place"), atomic_path(tmp_path / "file" / "x"):
        pass


def test_a_folder_where_a_file_of_ours_goes_gives_way_and_another_ones_stays(tmp_path):
    (tmp_path / "a" / "inside").mkdir(parents=True)
    with pytest.raises(InputError), atomic_path(tmp_path / "a") as path:
        path.write_text("new")
    assert (tmp_path / "a" / "inside").is_dir()
    with atomic_path(tmp_path / "a", ours=True) as path:
        path.write_text("new")
    assert (tmp_path / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
