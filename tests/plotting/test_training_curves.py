"""Training curves: what a fit recorded is what is drawn."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.methods import create
from mclstexp.plotting.training_curves import plot_training
from mclstexp.training.checkpoint import read_histories
from small_methods import ENCODER, small_sections


def test_what_a_fit_recorded_is_drawn(tmp_path):
    options = {"encoder": ENCODER, "n_models": 2, "epochs": 3, "k": 5, "sharpness": 1.0, "context_share": 0.5}
    create("mclstexp", **options, view_widths=(1.0,), symmetric=False).fit(small_sections()[:2], workdir=tmp_path)
    histories = read_histories(tmp_path)
    assert list(histories) == ["model_0", "model_1"]
    ax = plot_training(histories)
    for line, (name, epochs) in zip(ax.lines, histories.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(line.get_ydata(), [epoch["loss"] for epoch in epochs])


def test_one_model_needs_no_legend():
    ax = plot_training({"fit": [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}], "none": []})
    assert ax.get_legend() is None


def test_no_record_is_said(tmp_path):
    with pytest.raises(InputError, match="workdir"):
        read_histories(tmp_path)
    with pytest.raises(InputError, match="one recorded epoch"):
        plot_training({"fit": []})
