"""Scripts beside the package: started by its path, the folder of each comes first where modules are looked for."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "script", sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tools/*.py")]), ids=lambda p: p.stem
)
def test_no_script_hides_a_library_from_its_neighbours(script):
    assert script.stem not in sys.stdlib_module_names
    found = importlib.util.find_spec(script.stem)
    # tests may share a script's name: files of theirs, and folders without code, which have no origin
    assert found is None or found.origin is None or Path(found.origin).is_relative_to(ROOT / "tests")
