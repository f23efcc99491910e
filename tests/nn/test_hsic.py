"""HSIC against its definition on four points."""

import numpy as np
import pytest
import torch

from mclstexp.nn.hsic import gaussian_kernel, hsic, hsic_bottleneck, normalised_hsic

X = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
Y = torch.tensor([[1.0], [0.0], [4.0], [2.0]])


def _kernel(points, sigma):
    points = points.double().numpy()
    return np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=-1) / sigma**2)


def _hsic(first, second):
    n = len(first)
    h = np.eye(n) - 1 / n
    return np.trace(first @ h @ second @ h) / (n - 1) ** 2


def test_the_kernel_has_no_factor_two():
    kernel = gaussian_kernel(X, sigma=2.0)
    assert kernel[0, 1] == pytest.approx(np.exp(-0.25))
    np.testing.assert_allclose(kernel, _kernel(X, 2.0), rtol=1e-6)


def test_hsic_is_the_trace_of_its_definition():
    first, second = gaussian_kernel(X, sigma=2.0), gaussian_kernel(Y, sigma=2.0)
    expected = _hsic(_kernel(X, 2.0), _kernel(Y, 2.0))
    assert float(hsic(first, second)) == pytest.approx(expected, rel=1e-5)
    assert float(hsic(second, first)) == pytest.approx(expected, rel=1e-5)


def test_two_points_by_hand():
    # K = [[1, a], [a, 1]]: H K H = (1 - a)/2 [[1, -1], [-1, 1]], so HSIC(K, K) = (1 - a)²
    kernel = torch.tensor([[1.0, 0.25], [0.25, 1.0]])
    assert float(hsic(kernel, kernel)) == pytest.approx(0.75**2)
    assert float(normalised_hsic(kernel, kernel)) == pytest.approx(0.5625 / 1.5625)


def test_the_normalised_one_divides_by_both():
    k, l = _kernel(X, 2.0), _kernel(Y, 2.0)  # noqa: E741
    expected = _hsic(k, l) / np.sqrt((1 + _hsic(k, k)) * (1 + _hsic(l, l)))
    found = normalised_hsic(gaussian_kernel(X, sigma=2.0), gaussian_kernel(Y, sigma=2.0))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_constant_depends_on_nothing_and_one_point_neither():
    same = gaussian_kernel(torch.ones(4, 1), sigma=1.0)
    assert float(hsic(gaussian_kernel(X, sigma=1.0), same)) == pytest.approx(0, abs=1e-7)
    assert float(hsic(same[:1, :1], same[:1, :1])) == 0


def test_the_bottleneck_sets_what_is_kept_against_what_is_forgotten():
    z = X @ torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    k = [gaussian_kernel(points, sigma=3.0) for points in (X, z, Y)]
    expected = normalised_hsic(k[0], k[1]) - 25 * normalised_hsic(k[2], k[1])
    torch.testing.assert_close(hsic_bottleneck(X, z, Y, beta=25.0, sigma=3.0), expected)


def test_the_gradient_is_finite_where_points_coincide():
    points = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    hsic_bottleneck(X[:3], points, Y[:3], beta=25.0, sigma=10.0).backward()
    assert torch.isfinite(points.grad).all()
