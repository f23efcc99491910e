"""A small cohort in files, made up: stage moves the hazard, sites differ in nothing."""

import numpy as np
import pandas as pd


def made_table(n=120, *, n_sites=12, seed=0):
    rng = np.random.default_rng(seed)
    stage = rng.integers(1, 5, n)
    time = rng.exponential(1500 * np.exp(-0.8 * (stage - 2.5)))
    end = rng.uniform(300, 3000, n)
    return pd.DataFrame(
        {
            "patient": [f"P{k:03d}" for k in range(n)],
            "site": [f"S{k:02d}" for k in rng.permutation(np.arange(n) % n_sites)],
            "age": rng.integers(40, 85, n),
            "sex": rng.choice(["F", "M"], n),
            "stage": stage,
            "os_days": np.ceil(np.minimum(time, end)).astype(int),
            "os_event": (time <= end).astype(int),
        }
    )


def written(table, folder, name="cohort.csv"):
    path = folder / name
    table.to_csv(path, index=False)
    return path
