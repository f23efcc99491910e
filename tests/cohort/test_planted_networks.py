"""What networks of patients find of a planted interaction: that they are where the docs say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "cohort_networks.py"
    spec = importlib.util.spec_from_file_location("cohort_networks_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_ranks_who_was_held_out_and_gives_three_scales(script):
    found = {name: c for name, c, _ in script.ranked(120, 0, ["additive"])}
    assert found["the true risk"] > found["additive"] > 0.4
    bag = script.made(3, 0).patients.bags[0]
    assert [wider.n_tiles for wider in bag.coarser] == [-(-bag.n_tiles // n) for n in (16, 4)]
    assert np.allclose(bag.coarser[1].take([0]).mean(axis=0), bag.take(range(4)).mean(axis=0), atol=1e-5)


@pytest.mark.slow
def test_of_a_thousand_patients_mmp_hears_the_planted_pair_and_products_hear_it_better(script):
    found = [
        {name: c for name, c, _ in script.ranked(1000, seed, ["additive", "prototype_x_pathway", "mmp"])}
        for seed in range(3)
    ]
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert mean["additive"] + 0.04 < mean["mmp"] < mean["prototype_x_pathway"] < mean["the true risk"]
