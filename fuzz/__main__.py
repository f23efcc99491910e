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
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads do not survive a fork
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz.campaign import run_campaign
from fuzz.case import Case, Outcome
from fuzz.targets import TARGETS
from fuzz.trial import Trial

_SLOW = ("model", "results", "batch", "checkpoint", "evaluation")
"""Whose inputs take longest to make; they begin first."""

_HEAVY = ("timm", "torch._dynamo", "sklearn.decomposition", "torchvision.transforms", "pyarrow.parquet")
"""Imported once, for all forks."""


def main() -> int:
    """Run a campaign or one case; the exit code is 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--number", type=int, default=300, help="cases in all, shared evenly among the targets")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="these alone; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the campaign")
    parser.add_argument("--case", type=int, help="this one alone, in this process, with its traceback; its files stay")
    parser.add_argument("--seconds", type=float, default=20.0, help="what a case may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once")
    given = parser.parse_args()
    names = given.target or sorted(TARGETS)
    if given.case is not None:
        return _one(names[0], given.case, seed=given.seed, seconds=given.seconds)
    return _many(names, given)


def _one(name: str, number: int, *, seed: int, seconds: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="mclstexp-fuzz-"))
    (folder / "corpus").mkdir()
    (folder / "scratch").mkdir()
    TARGETS[name].make(folder / "corpus")
    trial = Trial(TARGETS[name], folder / "corpus", folder / "scratch", seconds=seconds)
    outcome = trial.run(Case(name, number, seed), keep=True, debug=True)
    print(f"{outcome.verdict} after {outcome.seconds:.2f} s\n{outcome.damage}\n{outcome.said}\n{folder / 'scratch'}")
    return int(outcome.verdict == "fault")


def _many(names: list[str], given: argparse.Namespace) -> int:
    for module in _HEAVY:
        import_module(module)
    started, faults, total = time.monotonic(), [], Counter[str]()
    print(f"{'target':<14}{'tried':>7}{'read':>7}{'refused':>9}{'fault':>7}{'s':>8}", flush=True)
    shares = {
        name: given.number // len(names) + (place < given.number % len(names)) for place, name in enumerate(names)
    }
    slow_first = sorted(shares, key=lambda name: name not in _SLOW)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("fork")) as pool:
        running = [pool.submit(_campaign, name, shares[name], given.seed, given.seconds) for name in slow_first]
        for future in as_completed(running):
            name, found, took = future.result()
            count = Counter(outcome.verdict for outcome in found)
            total += count
            faults += [outcome for outcome in found if outcome.verdict == "fault"]
            print(_row(name, count, took), flush=True)
    print(_row("all", total, time.monotonic() - started))
    _tell(faults)
    return int(bool(faults))


def _campaign(name: str, n_cases: int, seed: int, seconds: float) -> tuple[str, list[Outcome], float]:
    """Try one target in a process of the pool, which starts no threads: it forks again."""
    begun, found = time.monotonic(), list[Outcome]()
    run_campaign(TARGETS[name], range(n_cases), seed=seed, seconds=seconds, on_outcome=found.append)
    return name, found, time.monotonic() - begun


def _row(name: str, count: Counter[str], seconds: float) -> str:
    return f"{name:<14}{count.total():>7}{count['read']:>7}{count['refused']:>9}{count['fault']:>7}{seconds:>8.1f}"


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
