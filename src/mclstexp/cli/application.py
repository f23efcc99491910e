"""The application the commands belong to."""

from __future__ import annotations

from cyclopts import App

from mclstexp._version import __version__
from mclstexp.cli.whole_numbers import require_whole

app = App(
    name="mclstexp",
    help="Predict spatial gene expression from H&E images, judge the prediction honestly.\n\n"
    "`--debug` anywhere shows where an error came from, `--quiet` says nothing of how far it is.",
    version=__version__,
    config=require_whole,
    suppress_keyboard_interrupt=False,  # `run` has a word for it
)
