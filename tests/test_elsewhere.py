"""The script that runs the tests elsewhere: its rows cover what is asked for, a row's surroundings are what it says."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "test_elsewhere.py"
if not SCRIPT.exists() or os.name != "posix":
    pytest.skip("the script is not part of the package", allow_module_level=True)
spec = importlib.util.spec_from_file_location("elsewhere_script", SCRIPT)
script = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = script  # dataclasses look there
spec.loader.exec_module(script)


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(script, "BUILD", tmp_path)
    return tmp_path


def test_the_rows_cover_every_setting():
    said = " | ".join(row.setting for row in script.ROWS)
    for setting in (
        *("ATEN_CPU_CAPABILITY=default", "ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_CBWR=COMPATIBLE"),
        *("OPENBLAS_CORETYPE=Haswell", "1 thread,", "4 threads", "no terminal", "a terminal of 40 columns", "LANG=C,"),
        *("LC_ALL=C", "a home with spaces and umlauts", "a home that cannot be written", "another working directory"),
        *("SIGINT ignored", "lowest versions", "lowest, no extras versions", "newest versions"),
    ):
        assert setting in said, setting
    assert {row.python for row in script.ROWS} == {"3.11", "3.12", "3.13"}
    assert any("OPENBLAS_CORETYPE" not in row.setting for row in script.ROWS)


def test_a_home_that_cannot_be_written_cannot_even_by_the_superuser():
    row = script.Row("r", home="a home that cannot be written", elsewhere=True)
    with script.surroundings(row) as (env, working):
        assert working.is_dir()
        assert working != script.ROOT
        with pytest.raises(OSError, match="Not a directory"):
            Path(env["HOME"]).mkdir(parents=True)
    assert not working.exists()


TOLD = """
import fcntl, os, signal, struct, sys, termios
columns = struct.unpack("HHHH", fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)))[1] if os.isatty(1) else 0
print(columns, signal.getsignal(signal.SIGINT) == signal.SIG_IGN, flush=True)
"""


@pytest.mark.parametrize("row", [script.Row("t", terminal=True), script.Row("s", no_sigint=True)], ids=["t", "s"])
def test_a_command_finds_the_terminal_and_the_signals_of_its_row(row, build):
    with (build / "log").open("wb") as log:
        script.execute(row, [sys.executable, "-c", TOLD], env=os.environ, working=build, log=log)
    columns, ignored = (build / "log").read_text().split()
    assert columns == ("40" if row.terminal else "0")
    assert ignored == "True" or not row.no_sigint


@pytest.mark.slow
def test_failures_errors_and_skips_are_counted(build):
    (build / "test_few.py").write_text(
        "import pytest\ndef test_good(): pass\ndef test_bad(): assert 0\n@pytest.mark.skip\ndef test_not(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\ndef test_broken(broken): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "r.xml", "test_few.py"]
    subprocess.run(command, cwd=build, capture_output=True, check=False)
    outcome = script.read_report(build / "r.xml", seconds=1.0)
    assert (outcome.passed, outcome.skipped, outcome.wrong) == (1, 1, True)
    assert outcome.failed == ("test_few.py::test_bad", "test_few.py::test_broken")
    assert script.line(script.ROWS[0], outcome).endswith("| 3.11 | 1 | 2 | 1 | 1 |")


def test_a_python_that_is_not_there_is_said_and_is_no_failure():
    assert script.find_python(f"{sys.version_info.major}.{sys.version_info.minor}") is not None
    outcome = script.Outcome(trouble="Python 3.99 not found")
    assert not outcome.wrong
    assert "Python 3.99 not found" in script.line(script.Row("r", python="3.99"), outcome)
