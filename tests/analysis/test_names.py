"""The folder's names are where it says they are."""

import pytest

from mclstexp import analysis


def test_every_name_is_found_and_listed_once():
    assert sorted(analysis._HOME) == sorted(analysis.__all__) == dir(analysis)
    for name, home in analysis._HOME.items():
        assert getattr(analysis, name).__module__ == f"mclstexp.analysis.{home}"
    with pytest.raises(AttributeError, match="no attribute 'rank_gens'"):
        analysis.rank_gens  # noqa: B018
