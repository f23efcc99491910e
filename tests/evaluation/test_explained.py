"""How much of a score depth or stain explains, and when that is a warning."""

import numpy as np
import pytest

from made_scores import scores_of
from mclstexp.evaluation.explained import explained_share, say_explained
from mclstexp.evaluation.resampling import mean_interval
from mclstexp.evaluation.summary import headline, summarise
from mclstexp.evaluation.tables import markdown_table, summary_rows


def _summary(pcc, depth, **controls):
    """Three patients about the means given; "weak" is a worse method."""
    rows = []
    for n, off in enumerate((-0.02, 0.0, 0.02)):
        where = {"fold": f"P{n}", "patient": f"P{n}", "section": f"P{n}"}
        rows += [where | {"method": "good", "value": pcc + off}]
        rows += [where | {"method": "weak", "value": pcc / 2 + off}]
        if depth is not None:
            rows += [where | {"method": "good", "metric": "pcc_depth", "value": depth + 2 * off}]
            rows += [where | {"method": "weak", "metric": "pcc_depth", "value": depth / 2 + off}]
        rows += [where | {"method": m, "kind": "control", "value": v + off} for m, v in controls.items()]
    return summarise(scores_of(rows))


def test_shares_are_of_the_best_methods_score():
    table = _summary(0.4, 0.3, density=0.1, colour=0.2, ridge=0.38)
    assert explained_share(table, "good").to_dict() == pytest.approx({"depth": 0.25, "density": 0.25, "colour": 0.5})
    (said,) = say_explained(table)
    assert said == (
        "Of the PCC of good, 0.400: 0.300 is left given depth (25 % of it goes); density (one map of predicted total "
        "counts for all genes) scores 0.100, 25 % of it; colour (a few numbers of the stain) scores 0.200, 50 % of it."
    )
    assert said in headline(table)
    assert f"- {said}" in markdown_table(table)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"pcc": 0.4, "depth": 0.12}, "70 % of the PCC of good can be had from depth alone"),
        ({"pcc": 0.4, "depth": 0.3, "density": 0.3}, "75 % of the PCC of good can be had from depth alone"),
        ({"pcc": 0.4, "depth": 0.3, "colour": 0.5}, "100 % of the PCC of good can be had from stain alone"),
        ({"pcc": 0.4, "depth": 0.13, "density": 0.27, "colour": 0.27}, None),
    ],
)
def test_from_seventy_percent_on_it_warns(given, cause):
    warnings = say_explained(_summary(**given))[1:]
    assert len(warnings) == (cause is not None)
    assert all(said.startswith(f"Warning: {cause}") for said in warnings)


def test_what_is_not_there_is_not_said():
    assert say_explained(_summary(0.4, None)) == []
    assert say_explained(_summary(0.04, 0.03, density=0.03)) == []
    assert "colour" not in say_explained(_summary(0.4, 0.3, density=0.1))[0]
    assert say_explained(_summary(0.4, 0.3, density=0.1), "weak")[0].startswith("Of the PCC of weak, 0.200: 0.150")
    only = _summary(0.4, 0.3, density=0.1).drop(index=["good", "weak"])
    assert say_explained(only) == []
    assert list(explained_share(_summary(0.3, -0.1), "good")) == [1.0]
    assert list(explained_share(_summary(0.3, 0.4), "good")) == [0.0]


def test_means_given_depth_have_intervals_as_the_pcc_has():
    table = _summary(0.4, 0.3)
    low, high = mean_interval(np.array([0.26, 0.3, 0.34]))
    assert table.loc["good", ["pcc_depth_low", "pcc_depth_high"]].tolist() == pytest.approx([low, high])
    heading, rows = summary_rows(table)
    assert rows[0][heading.index("PCC given depth")] == f"0.300 [{low:.3f}, {high:.3f}]"
