"""stEnTrans's networks: worked by hand, and the release's numbers."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.nn.stentrans import FineMaps, ReleasedStEnTrans, from_tokens, line_code, load_released


def near(found, expected, tolerance=1e-4):
    return float((found - expected).abs().max() / expected.abs().max()) < tolerance


def test_the_released_positions_worked_by_hand():
    expected = [[0, 1, 0, 1], [0.841471, 0.540302, 1e-4, 1], [0.909297, -0.416147, 2e-4, 1]]
    np.testing.assert_allclose(line_code(3, 4), expected, atol=1e-6)


def test_a_token_is_read_as_pixels_of_four_numbers():
    maps = from_tokens(torch.arange(16.0).reshape(1, 1, 16), n_rows=1, patch=2)
    assert maps[0, 0].tolist() == [[0, 4], [8, 12]]
    assert maps[0, 3].tolist() == [[3, 7], [11, 15]]
    beside = from_tokens(torch.arange(24.0).reshape(1, 6, 4), n_rows=2, patch=1)
    assert beside[0, 0].tolist() == [[0, 4, 8], [12, 16, 20]]


def test_a_new_network_repeats_the_nearest_spot_and_what_is_not_shown_counts_for_nothing():
    torch.manual_seed(0)
    network = FineMaps(patch=2, width=16, n_heads=2, depth=1)
    values, shown = torch.randn(3, 5, 7), (torch.rand(5, 7) > 0.4).float()
    spots = shown.flatten().nonzero().flatten()
    nearest = spots[torch.randint(len(spots), (5, 7))]
    fine = network(values, shown, nearest)
    assert torch.equal(fine, values.flatten(1)[:, nearest].repeat_interleave(2, 1).repeat_interleave(2, 2))
    torch.nn.init.normal_(network.out.weight)
    changed = torch.where(shown > 0, values, torch.randn(3, 5, 7))
    assert torch.equal(network(values, shown, nearest), network(changed, shown, nearest))
    assert not torch.allclose(network(values, shown, nearest), network(values, torch.ones(5, 7), nearest))


def test_weights_of_another_network_are_refused():
    with pytest.raises(InputError, match="the published stEnTrans expected in here"):
        load_released(ReleasedStEnTrans(patch=2, n_heads=2, depth=1), {"x": torch.zeros(2)}, source="here")


def released(folder, **sizes):
    network = ReleasedStEnTrans(**sizes)
    load_released(network, load_file(folder / "state_dict.safetensors"), source=folder.name)
    return network, load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")


@pytest.mark.data
def test_the_network_of_the_release_gives_its_numbers(parity_dir):
    network, given, expected = released(parity_dir / "stentrans_p8", patch=8, n_heads=8, depth=1)
    assert near(line_code(6, 256), expected["position_code"])
    with torch.no_grad():
        assert near(network(given["input"]), expected["output"])
        assert near(network.eval()(given["input"]), expected["output"])
