"""A thousand slides, none of which is ever held: `python benchmarks/cohort_stream.py WHAT [SLIDES TILES DIM]`.

WHAT is one of

- shares: 16 prototypes and the shares of 1,000 slides of 15,000 tiles of 256 features (unless said otherwise). Tiles
  are made while they are streamed, each slide's own from its number, so that nothing lies on disk; what making them
  costs is said apart.
- expression: predictions of one slide of 15,000, 60,000 and 240,000 tiles of 200 genes, written to a temporary folder
  (240 MB at most) and averaged by `summarise_expression`, each in a process of its own.

Memory is the process's peak.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from mclstexp.api.slide_expression import summarise_expression
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core import keys
from mclstexp.core.bag import CHUNK, Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.expression import ExpressionSpace
from mclstexp.io.predictions import write_rows

N_KINDS, N_PROTOTYPES, MAX_TILES, N_GENES = 24, 16, 50_000, 200


class MadeBag(Bag):
    """Tiles that are made when they are asked for: a slide's shares of kinds, a kind's mean, and noise."""

    def __init__(self, number: int, n_tiles: int, kinds: np.ndarray) -> None:
        self.n_tiles, self.dim = n_tiles, kinds.shape[1]
        self._number, self._kinds = number, kinds

    def chunks(self) -> Iterator[np.ndarray]:
        """Make all tiles, some at a time; each time the same."""
        for start in range(0, self.n_tiles, CHUNK):
            yield self._made(start, min(CHUNK, self.n_tiles - start))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Return the first tiles of the first chunk: any are as good, for none lies anywhere."""
        return self._made(0, len(numbers))

    def _made(self, start: int, n: int) -> np.ndarray:
        shares = np.random.default_rng(self._number).dirichlet(np.ones(len(self._kinds)))
        rng = np.random.default_rng([self._number, start])
        noise = rng.standard_normal((n, self.dim), np.float32)
        return self._kinds[rng.choice(len(self._kinds), n, p=shares)] + 2 * noise


def said(what: str, wall: float, cpu: float) -> None:
    """Print what something cost since then, and the peak of memory since the process began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = f"{time.perf_counter() - wall:.0f} s by the clock, {time.process_time() - cpu:.0f} s of processors"
    print(f"{what}: {spent}; peak {peak:.2f} GiB", flush=True)


def shares(n_slides: int = 1000, n_tiles: int = 15_000, dim: int = 256) -> None:
    kinds = np.random.default_rng(0).normal(size=(N_KINDS, dim)).astype(np.float32)
    bags = tuple(MadeBag(number, n_tiles, kinds) for number in range(n_slides))
    patients = Patients(ids=tuple(f"patient {number}" for number in range(n_slides)), bags=bags)
    wall, cpu = time.perf_counter(), time.process_time()
    said("before anything", wall, cpu)
    found = Prototypes.fit(patients, N_PROTOTYPES, standardise=True, max_tiles=MAX_TILES, seed=0)
    said(f"{N_PROTOTYPES} prototypes of {MAX_TILES} tiles of {n_slides} slides", wall, cpu)
    prior, wall, cpu = found.prior(1.0, "within"), time.perf_counter(), time.process_time()
    for number, bag in enumerate(bags, 1):
        found.shares(bag, prior)
        if number % (n_slides // 4) == 0:
            said(f"shares of {number} slides, {number * n_tiles} tiles, which are made for it", wall, cpu)
    wall, cpu = time.perf_counter(), time.process_time()
    for bag in bags[: n_slides // 10]:
        for _ in bag.chunks():
            pass
    said(f"of it the making of {n_slides // 10} slides", wall, cpu)


def expression() -> None:
    for n_tiles in (15_000, 60_000, 240_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "slide.h5ad"
            _write(path, n_tiles)
            subprocess.run([sys.executable, __file__, "summarise", str(path)], check=True)


def _write(path: Path, n_tiles: int) -> None:
    genes = [f"GENE{number}" for number in range(N_GENES)]
    var = pd.DataFrame({keys.TRAINING_LOW: 0.0, keys.TRAINING_HIGH: 2.0, keys.VERDICT: "predictable"}, index=genes)
    about = {"method": "made up", "space": ExpressionSpace(tuple(genes)).record(), "patients": ["p"], "sections": {}}
    obs = pd.DataFrame({keys.SECTION: "slide"}, index=[str(number) for number in range(n_tiles)])
    frame = ad.AnnData(obs=obs, var=var, uns={keys.PROVENANCE: about})
    rng = np.random.default_rng(0)
    step = 1000
    write_rows(frame, (rng.gamma(2, 0.5, (step, N_GENES)).astype(np.float32) for _ in range(n_tiles // step)), path)


def summarise(path: Path) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    summary = summarise_expression(path)
    said(f"{int(summary.n_tiles.iloc[0])} tiles of {N_GENES} genes ({before:.2f} GiB before)", wall, cpu)


def main(what: str, *more: str) -> None:
    """Run one of the measures."""
    if what == "shares":
        shares(*map(int, more))
    elif what == "summarise":
        summarise(Path(more[0]))
    else:
        expression()


if __name__ == "__main__":
    main(*sys.argv[1:])
