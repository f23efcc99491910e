"""Shared fixtures; shapes are checked by beartype while testing, as in the first distribution."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

_hook = install_import_hook("mclstexp_genomics", "beartype.beartype")
LIMIT_S = 600


def pytest_collection_modifyitems(config, items):
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            if "genomics" in str(item.path):
                item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def genomics_dir():
    """Folder of real data sets; tests that use it carry the marker `data`."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("MCLSTEXP_DATA", beside)) / "genomics"
    if not path.is_dir():
        pytest.skip(f"real data not found at {path} (set MCLSTEXP_DATA)")
    return path
