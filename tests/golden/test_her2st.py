"""The numbers of real data, computed once by other means; one implementation serves script and test."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "golden_her2st.py"


@pytest.mark.data
@pytest.mark.slow
def test_counts_scales_controls_and_ceiling_agree_with_the_published_files(data_dir):
    script = runpy.run_path(str(SCRIPT))
    genes, sections = script["read"](data_dir)
    found = script["golden"](genes, sections)
    assert {name: value for name, value in found.items() if not script["agrees"](name, value)} == {}
    for values in script["ceiling"](genes, sections).values():
        for which, (low, high) in script["CEILING"].items():
            assert low < values[which] < high
