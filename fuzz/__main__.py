"""``python -m fuzz``: put mutated inputs to every door that reads files, and say which answers were wrong.

A case is a target, a number and a seed; the same three give the same input again, with the traceback::

    python -m fuzz --number 20000
    python -m fuzz --target h5ad --case 17
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads do not survive a fork
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz.campaign import run_campaign
from fuzz.case import Case, Outcome
from fuzz.targets import TARGETS
from fuzz.trial import Trial


def main() -> int:
    """Run a campaign or one case; the exit code is 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--number", type=int, default=300, help="cases in all, shared evenly among the targets")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="these alone; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the campaign")
    parser.add_argument("--case", type=int, help="this one alone, in this process, with its traceback; its files stay")
    parser.add_argument("--seconds", type=float, default=20.0, help="what a case may take")
    given = parser.parse_args()
    names = given.target or sorted(TARGETS)
    if given.case is not None:
        return _one(names[0], given.case, seed=given.seed, seconds=given.seconds)
    return _many(names, given.number, seed=given.seed, seconds=given.seconds)


def _one(name: str, number: int, *, seed: int, seconds: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="mclstexp-fuzz-"))
    (folder / "corpus").mkdir()
    (folder / "scratch").mkdir()
    TARGETS[name].make(folder / "corpus")
    trial = Trial(TARGETS[name], folder / "corpus", folder / "scratch", seconds=seconds)
    outcome = trial.run(Case(name, number, seed), keep=True, debug=True)
    print(f"{outcome.verdict} after {outcome.seconds:.2f} s\n{outcome.damage}\n{outcome.said}\n{folder / 'scratch'}")
    return int(outcome.verdict == "fault")


def _many(names: list[str], number: int, *, seed: int, seconds: float) -> int:
    started, rows, faults = time.monotonic(), [], []
    print(f"{'target':<14}{'tried':>7}{'read':>7}{'refused':>9}{'fault':>7}{'s':>8}", flush=True)
    for place, name in enumerate(names):
        n_cases = number // len(names) + (place < number % len(names))
        found: list[Outcome] = []
        begun = time.monotonic()
        run_campaign(TARGETS[name], range(n_cases), seed=seed, seconds=seconds, on_outcome=found.append)
        count = Counter(outcome.verdict for outcome in found)
        rows.append(count)
        faults += [outcome for outcome in found if outcome.verdict == "fault"]
        counted = f"{len(found):>7}{count['read']:>7}{count['refused']:>9}{count['fault']:>7}"
        print(f"{name:<14}{counted}{time.monotonic() - begun:>8.1f}", flush=True)
    total = sum(rows, Counter[str]())
    seconds = time.monotonic() - started
    print(f"{'all':<14}{total.total():>7}{total['read']:>7}{total['refused']:>9}{total['fault']:>7}{seconds:>8.1f}")
    _tell(faults)
    return int(bool(faults))


def _tell(faults: list[Outcome]) -> None:
    """Print the faults, those of one place once."""
    places: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in faults:
        places.setdefault((outcome.where, outcome.said.partition(":")[0]), []).append(outcome)
    for (where, _), found in sorted(places.items(), key=lambda pair: -len(pair[1])):
        first = found[0]
        print(f"\n{len(found)} times: {where or first.case.target}\n  {first.said}\n  {first.damage}")
        print(
            f"  again: python -m fuzz --target {first.case.target} --seed {first.case.seed} --case {first.case.number}"
        )


if __name__ == "__main__":
    sys.exit(main())
