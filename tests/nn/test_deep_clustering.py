"""Losses of clusters: a target worked by hand, and the release's numbers."""

import pytest
import torch
from safetensors.torch import load_file

from mclstexp.nn.deep_clustering import divergence_loss, sharpened, sharpening_loss, soft_assignment


def test_the_target_worked_by_hand():
    assignment = torch.tensor([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9]])
    expected = torch.tensor([[0.533333, 0.466667], [0.948148, 0.051852], [0.013913, 0.986087]])
    assert torch.allclose(sharpened(assignment), expected, atol=1e-6)
    assert float(sharpening_loss(assignment)) == pytest.approx(0.051985, abs=1e-6)


def test_clear_clusters_cost_less_than_blurred_ones():
    corner = torch.eye(3).repeat(4, 1)
    far = 10 * corner
    assert divergence_loss(corner, far) < divergence_loss(0.4 * corner + 0.2, far)
    assert soft_assignment(far, 10 * torch.eye(3)).argmax(dim=1).tolist() == [0, 1, 2] * 4


@pytest.mark.data
def test_they_are_the_released_ones(parity_dir):
    folder = parity_dir / "stmmc_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "graphs_and_extras.safetensors")
    assignment = soft_assignment(given["dec_z"], given["dec_centres"])
    assert torch.allclose(assignment, expected["dec_q"], atol=1e-5)
    assert torch.allclose(sharpened(assignment), expected["dec_p"], atol=1e-5)
    assert float(sharpening_loss(assignment)) == pytest.approx(float(expected["dec_kl"].sum()), rel=1e-4)
    found = divergence_loss(given["ddc_assignment"], given["ddc_hidden"])
    assert float(found) == pytest.approx(float(expected["ddc_loss"].sum()), rel=1e-4)
