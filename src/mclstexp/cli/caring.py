"""`doctor` and `cache`: what is installed, what is kept, how large."""

from __future__ import annotations

from mclstexp.cli.application import app
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step

_MB = 1e6


@app.command
def doctor() -> None:
    """Say what is installed, cached and missing for what, and which device computes; goes well with a question."""
    step("Looking at packages, device and cache")
    from mclstexp.api.doctor import look_around

    found = look_around()
    print_table([[each.what, each.found] for each in found], title="mclstexp here")
    for each in found:
        if each.advice:
            say(f"{each.what}: {each.advice}")


@app.command
def cache(*, limit_gb: float | None = None) -> None:
    """Say what the cache holds; bound it. All of it can be made again.

    Parameters
    ----------
    limit_gb
        Embeddings that were unused for longest are removed until the others take no more than this (10⁹ bytes);
        0 removes all.
    """
    from mclstexp.core.errors import InputError
    from mclstexp.data.cache_use import KINDS, bound_features, kept_features, sizes
    from mclstexp.data.features import cache_folder

    if limit_gb is not None:
        if not 0 <= limit_gb < float("inf"):
            msg = f"a number of GB of at least 0 expected with --limit-gb, found {limit_gb}"
            raise InputError(msg)
        removed = bound_features(round(limit_gb * 1e9))
        freed = sum(each.n_bytes for each in removed) / _MB
        say(f"removed {len(removed)} of {len(removed) + len(kept_features())} sets of embeddings, {freed:,.1f} MB")
    rows = [
        [KINDS.get(kind, kind), f"{number:,}", f"{n_bytes / _MB:,.1f}"] for kind, (number, n_bytes) in sizes().items()
    ]
    print_table(rows, heading=["what", "files", "MB"], title=str(cache_folder()))
    say("Another folder: set MCLSTEXP_CACHE. Less: mclstexp cache --limit-gb N")
