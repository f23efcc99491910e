"""What a concordance and its interval cost: `python benchmarks/cohort_statistics.py` prints processor time."""

import time

import numpy as np

from mclstexp.cohort.survival.concordance import harrell
from mclstexp.cohort.survival.resampled import draw_patients, drawn_concordance

DRAWN_UP_TO = 5000


def main() -> None:
    rng = np.random.default_rng(0)
    for n in (1000, 5000, 100_000):
        risk = rng.normal(size=n)
        time_of, end = rng.exponential(np.exp(-risk)), rng.exponential(2, n)
        seen, event, fold = np.minimum(time_of, end), time_of <= end, np.arange(n) % 5
        start = time.process_time()
        harrell(seen, event, risk)
        said = f"{n} patients: C {time.process_time() - start:.3f} s"
        if n <= DRAWN_UP_TO:
            start = time.process_time()
            drawn_concordance(seen, event, risk, fold=fold, draws=draw_patients(fold))
            said += f", 2000 draws in five folds {time.process_time() - start:.2f} s"
        print(said)


if __name__ == "__main__":
    main()
