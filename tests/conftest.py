"""Shared fixtures. Shapes are checked by beartype while testing, never in use."""

import gc
import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

_hook = install_import_hook("mclstexp", "typechecker.check")

_BESIDE = Path(__file__).resolve().parents[1].parent / "shared"


LIMIT_S, SLOW_LIMIT_S = 600, 3600
"""Seconds after which a test, or one marked `slow`, has failed, whatever else the machine does: none waits for ever."""


def pytest_collection_modifyitems(config, items):
    if config.pluginmanager.hasplugin("timeout"):  # of pytest-timeout, which is in the extra `dev`
        for item in items:
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT_S if item.get_closest_marker("slow") else LIMIT_S))


def _outside(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable, _BESIDE / folder))
    if not path.is_dir():
        pytest.skip(f"real data not found at {path} (set {variable})")
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data sets; tests that use it carry the marker `data`."""
    return _outside("MCLSTEXP_DATA", "data")


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """Folder of published models' outputs; tests that use it carry the marker `data`."""
    return _outside("MCLSTEXP_PARITY", "parity")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep the user's cache out of tests and tests out of the user's cache, fixtures of modules among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCLSTEXP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture
def said(capsys):
    """Run a command; return its code and what it said on both streams."""

    def said(*words):
        capsys.readouterr()
        from mclstexp.cli import run

        code = run([str(word) for word in words])
        return code, *capsys.readouterr()

    return said


def pytest_collection_finish():
    """Leave what is imported by now out of every later collection of garbage: it lives as long as the process."""
    gc.collect()
    gc.freeze()
