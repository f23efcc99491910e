"""The command line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from cyclopts import CycloptsError
from rich.console import Console

from mclstexp.cli import (  # noqa: F401  they register themselves
    adapting,
    associating,
    biomarking,
    calibrating,
    caring,
    cohort,
    cohort_compare,
    cohort_explain,
    cohort_expression,
    cohort_models,
    commands,
    dividing,
    enhancing,
    exporting,
    generating,
    imputing,
    naming,
    predictability,
    predicting,
    reporting,
    validating,
    viewing,
)
from mclstexp.cli.application import app
from mclstexp.cli.signals import Terminated, sigterm_heard
from mclstexp.cli.terminal import complain, show_warning
from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.progress import hushed
from mclstexp.core.wording import print_width
from mclstexp.io.writing import refusal


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    0, 2 (what was given cannot be used), 130 (interrupted), 143 (ended by SIGTERM), 1 (a bug).
    """
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    debug = "--debug" in words
    quiet = "--quiet" in words
    words = [word for word in words if word not in ("--debug", "--quiet")]
    app.console = Console(width=print_width())  # of help
    with warnings.catch_warnings(), sigterm_heard(), hushed(when=quiet):
        warnings.showwarning = show_warning
        try:
            with through("command"):
                code = app(words, exit_on_error=False, print_error=False, verbose=False, result_action="return_value")
        except Terminated:
            complain("ended by SIGTERM", debug=False)
            return 143
        except KeyboardInterrupt:
            complain("interrupted", debug=False)
            return 130
        except (InputError, CycloptsError) as error:
            complain(str(error), debug=debug)
            return 2
        except Exception as error:  # noqa: BLE001  a bug, or a machine that fails: said in one line, shown on demand
            if (said := refusal(error)) is not None:
                complain(said, debug=debug)
                return 2
            text = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
            complain(f"unexpected error ({text}): run again with --debug and report it", debug=debug)
            return 1
    return code if isinstance(code, int) else 0  # a command that finds fault returns how it ends
