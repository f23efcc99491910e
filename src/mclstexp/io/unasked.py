"""Reading for the places alone: a prediction needs image and places, and does not look at counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pandas as pd
from anndata import AnnData
from scipy import sparse

_asked: ContextVar[bool] = ContextVar("counts_are_asked", default=True)


@contextmanager
def places_alone() -> Iterator[None]:
    """Let readers pass over counts, absent and unusable ones too: sections then have no genes."""
    token = _asked.set(False)
    try:
        yield
    finally:
        _asked.reset(token)


def counts_are_asked() -> bool:
    """Whether sections are read for their counts too."""
    return _asked.get()


def without_counts(names: pd.Index) -> AnnData:
    """Return spots without a gene."""
    return AnnData(X=sparse.csr_matrix((len(names), 0)), obs=pd.DataFrame(index=names))
