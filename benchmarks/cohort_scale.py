"""What prototypes cost: `python benchmarks/cohort_scale.py [SLIDES] [TILES] [DIM]` (by default 100, 15000, 1024).

Four made-up slides lie in a folder for the time as files of features, which patients have in turn; so the disk's speed
is not in it. Prototypes are learnt of 50,000 tiles whatever the number of slides; what is timed of slides is said for
one. Memory is the process's peak, which does not rise with slides.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import Patients

N_FILES, N_KINDS, N_PROTOTYPES, MAX_TILES = 4, 24, 16, 50_000


def made(folder: Path, n_slides: int, n_tiles: int, dim: int) -> Patients:
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(N_KINDS, dim)).astype(np.float32)
    files = []
    for number in range(N_FILES):
        shares = rng.dirichlet(np.ones(N_KINDS))
        files.append(folder / f"slide{number}.npy")
        features = kinds[rng.choice(N_KINDS, n_tiles, p=shares)]
        features += rng.normal(0, 2, features.shape).astype(np.float32)
        np.save(files[-1], features)
    bags = tuple(FileBag([files[number % N_FILES]]) for number in range(n_slides))
    return Patients(ids=tuple(f"patient {number}" for number in range(n_slides)), bags=bags)


class Timed:
    """Prints how long something took, and the peak of memory since the process began."""

    def __init__(self, what: str, n: int = 1) -> None:
        self.what, self.n = what, n

    def __enter__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = (time.perf_counter() - self.wall) / self.n, (time.process_time() - self.cpu) / self.n
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{self.what}: {wall:.2f} s by the clock, {cpu:.2f} s of processors; peak {peak:.2f} GiB", flush=True)


def main(n_slides: int = 100, n_tiles: int = 15_000, dim: int = 1024) -> None:
    with tempfile.TemporaryDirectory() as name:
        patients = made(Path(name), n_slides, n_tiles, dim)
        with Timed("before anything"):
            pass
        with Timed(f"{N_PROTOTYPES} prototypes of {MAX_TILES} tiles"):
            found = Prototypes.fit(patients, N_PROTOTYPES, standardise=True, max_tiles=MAX_TILES, seed=0)
        prior = found.prior(1.0, "within")
        bags = patients.bags or ()
        for part in (bags[: max(1, n_slides // 10)], bags):
            with Timed(f"shares, each of {len(part)} slides", len(part)):
                for bag in part:
                    found.shares(bag, prior)
        few = bags[: max(1, n_slides // 10)]
        with Timed(f"shares, means and variances, each of {len(few)} slides", len(few)):
            for bag in few:
                prior.mixture(lambda bag=bag: found.chunks(bag))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
