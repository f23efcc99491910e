"""Whether scans say that chance alone is chance: a table of docs/associations.md, on made-up maps.

Run `python benchmarks/association.py [--repeats 5] [--side 28]`: 20 × 20 pairs of unrelated smooth maps
(white noise under a Gaussian filter) on an array of 28 × 28 spots in each of 5 repeats, tested as if spots were
independent, by random signs of patterns and by shifts; on one section, on three serial sections of one individual, and
on a section of each of three individuals.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from mclstexp.analysis.association.associate import Spots, associate

N_MAPS = 20
SMOOTH = (0.0, 1.0, 3.0, 6.0)
DESIGNS = {"1 section": (1, 1), "3 sections of 1 individual": (3, 1), "3 individuals": (3, 3)}


def smooth_maps(rng, side, n, sigma):
    """Return (side², n) unrelated maps, white noise under a Gaussian filter of `sigma` spots."""
    noise = rng.normal(size=(side, side, n))
    return (gaussian_filter(noise, (sigma, sigma, 0)) if sigma else noise).reshape(-1, n)


def shares_below(*, sigma, null, repeats, design, side):
    """Return the share of p below 0.05, by the null and naively, and λ of both."""
    rng = np.random.default_rng(0)
    n_sections, n_patients = design
    places = np.tile(np.mgrid[:side, :side].reshape(2, -1).T[:, ::-1].astype(float), (n_sections, 1))
    sections = np.repeat([f"S{k}" for k in range(n_sections)], side**2)
    patients = np.repeat([f"P{k % n_patients}" for k in range(n_sections)], side**2)
    units = Spots(200 * places, sections, patients, null=null, array_xy=places)
    found = []
    for repeat in range(repeats):
        parts = [smooth_maps(rng, side, 2 * N_MAPS, sigma) for _ in range(n_patients)]
        while len(parts) < n_sections:  # serial cuts show one tissue
            parts.append(parts[0] + 0.1 * parts[0].std() * rng.normal(size=parts[0].shape))
        maps = pd.DataFrame(np.concatenate(parts)).rename(columns=str)
        scan = associate(maps.iloc[:, :N_MAPS], maps.iloc[:, N_MAPS:], units, seed=repeat)
        low = (scan.table[["p", "p_naive"]] < 0.05).mean()
        found.append(
            [low["p"], scan.inflation.at["p", "lambda"], low["p_naive"], scan.inflation.at["p_naive", "lambda"]]
        )
    return np.mean(found, axis=0)


def main(asked):
    print("| filter (spots) | design | null | p < 0.05 | λ | naive p < 0.05 | naive λ |")
    print("|---:|---|---|---:|---:|---:|---:|")
    for sigma in SMOOTH:
        for name, design in DESIGNS.items():
            for null in ("moran", "shifts"):
                right, wide, wrong, wider = shares_below(
                    sigma=sigma, null=null, repeats=asked.repeats, design=design, side=asked.side
                )
                print(
                    f"| {sigma:g} | {name} | {null} | {right:.1%} | {wide:.2f} | {wrong:.1%} | {wider:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", type=int, default=28)
    main(parser.parse_args())
