"""The fuzzer finds what is planted, tells it from a refusal, and gives the same case again."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the fuzzer forks")
sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.campaign import run_campaign  # noqa: E402
from fuzz.case import Case, Target  # noqa: E402
from fuzz.trial import Trial, _wrong_with  # noqa: E402
from mclstexp.core.errors import InputError  # noqa: E402


def make(folder):
    (folder / "one").mkdir()
    (folder / "one" / "a.json").write_text(json.dumps({"a": 1, "b": [1, 2], "c": {"d": "x"}}))


def tried(use, n_cases=30, *, seconds=5.0, **given):
    found = []
    run_campaign(Target("t", make, use, **given), range(n_cases), seed=1, seconds=seconds, on_outcome=found.append)
    assert [outcome.case.number for outcome in found] == list(range(n_cases))
    return found


def test_an_error_that_is_no_sentence_is_a_fault_and_a_sentence_is_none():
    def use(folder):
        try:
            content = json.loads((folder / "a.json").read_text())
        except (OSError, ValueError) as error:
            msg = "JSON expected, found none: fetch it again"
            raise InputError(msg) from error
        content["a"] + 1

    found = tried(use)
    kinds = {outcome.verdict for outcome in found}
    assert kinds == {"read", "refused", "fault"}
    assert all(
        outcome.said.split(":")[0] in ("TypeError", "KeyError") for outcome in found if outcome.verdict == "fault"
    )


def test_long_and_invisible_messages_are_wrong():
    assert _wrong_with("x" * 400) == "a message of 400 characters"
    assert _wrong_with("found \u202e") == "a message with '\\u202e'"
    assert _wrong_with("JSON expected, found none: fetch it again") == ""


def test_what_hangs_or_kills_its_process_is_a_fault_and_the_rest_goes_on():
    def use(folder):
        if not (folder / "a.json").is_file():
            os._exit(3)
        if (folder / "a.json").stat().st_size == 0:
            time.sleep(60)

    found = tried(use, 40, seconds=0.2)
    said = {outcome.said for outcome in found if outcome.verdict == "fault"}
    assert said == {"longer than 0.2 s", "the process had to be ended, or ended itself (exit code 3)"}


def test_another_result_than_the_undamaged_one_is_a_fault_where_it_must_be_made_again():
    found = tried(
        lambda folder: [path.name for path in sorted(folder.iterdir()) if path.stat().st_size > 50], exact=True
    )
    faults = [outcome for outcome in found if outcome.verdict == "fault"]
    assert faults
    assert all(outcome.said == "another result than that of the undamaged input" for outcome in faults)


def test_the_same_three_words_give_the_same_case(tmp_path):
    (tmp_path / "corpus").mkdir()
    make(tmp_path / "corpus")
    damaged = []
    trial = Trial(
        Target("t", make, lambda folder: damaged.append((folder / "a.json").read_bytes())),
        tmp_path / "corpus",
        tmp_path / "scratch",
        seconds=5,
    )
    cases = [Case("t", number, 7) for number in range(8) for _ in range(2)]
    outcomes = [trial.run(case) for case in cases]
    assert [o.damage for o in outcomes[::2]] == [o.damage for o in outcomes[1::2]]
    assert len({o.damage for o in outcomes}) > 4
