"""Whatever a bad file raises is one sentence about it."""

import errno
import json
import struct
from xml.etree.ElementTree import ParseError

import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.guard import guarded, reading

RAISED = [
    TypeError("'NoneType' object is not subscriptable"),
    AttributeError("no attribute"),
    IndexError("list index out of range"),
    KeyError(),
    ZeroDivisionError("division by zero"),
    OverflowError("too large"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    SyntaxError("bad"),
    ParseError("not well-formed"),
    struct.error("unpack requires 8 bytes"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    AssertionError(),
    NotImplementedError("codec"),
    StopIteration(),
    json.JSONDecodeError("Expecting value", "", 0),
    OSError("odd"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_any_error_is_a_sentence_about_the_file(error, tmp_path):
    path = tmp_path / "x.bin"
    with (
        pytest.raises(InputError, match=r"^a thing expected in .*x\.bin, found .*: ") as said,
        reading(path, "a thing"),
    ):
        raise error
    assert said.value.__cause__ is error, "--debug shows where"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_user_can_stop_it(stop, tmp_path):
    with pytest.raises(stop), reading(tmp_path, "a thing"):
        raise stop


def test_a_file_that_is_closed_is_not_told_as_damaged(tmp_path):
    with pytest.raises(InputError, match=r"found it closed \(Permission denied\): check its permissions$"):  # noqa: SIM117
        with reading(tmp_path, "a thing"):
            raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(InputError, match="shorter name"), reading(tmp_path, "a thing"):
        (tmp_path / ("n" * 300)).read_text()


def test_a_function_stands_inside_as_a_whole(tmp_path):
    @guarded("a thing")
    def read(path, *, part=0):
        return [][part]

    with pytest.raises(InputError, match=r"a thing expected in .* index out of range"):
        read(tmp_path, part=3)
    with pytest.raises(TypeError, match="unexpected keyword"):
        read(tmp_path, parts=3)
