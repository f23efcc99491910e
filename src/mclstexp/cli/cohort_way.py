"""`demo --cohort`: the commands from sections to patients, one after the other, each shown before it runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mclstexp.cli.application import app
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step

if TYPE_CHECKING:
    from mclstexp.demo_cohort import Size


def go_the_way(out: Path, *, seed: int = 0, size: Size | None = None) -> int:
    """Make patients, run every command on them, and say at the end what was true; what is done is not done again.

    Returns
    -------
    The exit code: that of the first command that found fault.
    """
    step("Making sections and slides of patients")
    from mclstexp.demo_cohort import Size, commands, sentences_of_truth, write_inputs

    size = size or Size()
    write_inputs(out, seed=seed, size=size)
    for words in commands(out, size=size):
        say("")
        say(f"$ mclstexp {shlex.join(words)}")
        code = app(words, exit_on_error=False, print_error=False, verbose=False, result_action="return_value")
        if isinstance(code, int) and code:
            return code
    say("")
    for sentence in sentences_of_truth(out):
        say(sentence)
    return 0
