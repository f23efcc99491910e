"""`view`: a predicted slide in the browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.signals import Terminated
from mclstexp.core.progress import step


@app.command
def view(
    slide: Path,
    prediction: Path,
    /,
    *,
    gene: str | None = None,
    port: int = 0,
    browser: Annotated[bool, Parameter(name="--open", negative="--no-open")] = True,
) -> int:
    """Look at a whole slide and its prediction in the browser: deep zoom, any gene; Ctrl-C ends it.

    Only this machine is served, at an address nobody can guess, and only these two files.

    Parameters
    ----------
    slide
        The slide that was predicted.
    prediction
        What `mclstexp predict` wrote of it (.h5ad).
    gene
        Gene shown first; the one that varies most by default.
    port
        Where to serve; any free port by default.
    browser
        Whether the browser is opened.
    """
    step(f"Opening {slide}")
    from mclstexp.report.viewer import ViewServer
    from mclstexp.report.viewer_data import SlideView

    with ViewServer(SlideView(slide, prediction, gene=gene), port=port) as server:
        try:  # whoever reads the line may press Ctrl-C on it
            print(f"{server.address}\nCtrl-C ends it", flush=True)  # at once, also into a pipe
            if browser and _has_screen():
                import webbrowser

                # beside the server: some browsers are waited for
                Thread(target=webbrowser.open, args=(server.address_once,), daemon=True).start()
            server.serve_forever()
        except Terminated:
            raise
        except KeyboardInterrupt:
            pass
    return 0


def _has_screen() -> bool:
    """Whether a browser could be seen; without a screen, text browsers would take over the terminal."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return named or sys.platform in ("darwin", "win32")
