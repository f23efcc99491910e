"""Made patients with tiles, expression and a hazard that both speak of."""

import numpy as np
import pandas as pd

from mclstexp.core.cohort import ArrayBag, Outcomes, Patients


def made_patients(n=40, *, seed=0, n_scales=1):
    """Return patients and what they were made of, (n, 3): the first of it is in the tiles' mean too."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"p{i:02}" for i in range(n))
    drivers = rng.normal(size=(n, 3))
    genes = np.repeat(drivers, 4, axis=1) + 0.5 * rng.normal(size=(n, 12))
    names = [f"G{i:02}" for i in range(12)]
    sets = {f"set {j}": tuple(names[4 * j : 4 * j + 4]) for j in range(3)} | {"unmeasured": ("X",)}
    bags = []
    for own in drivers[:, 0]:
        scales = [ArrayBag(rng.normal(size=(3 << s, 5)) + own) for s in range(n_scales - 1)]
        bags.append(ArrayBag(rng.normal(size=(rng.integers(8, 20), 5)) + own, coarser=scales))
    patients = Patients(
        ids=ids,
        sites=tuple(f"site {i % 4}" for i in range(n)),
        bags=tuple(bags),
        pathways=pd.DataFrame(drivers, index=list(ids), columns=["up", "down", "aside"]),
        genes=pd.DataFrame(genes, index=list(ids), columns=names),
        gene_sets=sets,
    )
    return patients, drivers


def made_survival(patients, log_hazard, *, seed=0):
    """Return times of about two thirds of events."""
    rng = np.random.default_rng(seed)
    time = 24 * rng.exponential(np.exp(-log_hazard))
    seen = rng.uniform(0, 60, len(patients))
    return Outcomes.survival(patients.ids, time=np.minimum(time, seen) + 0.01, event=time < seen)
