"""stMMC's network: values worked by hand, and the numbers of the released one."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.nn.stmmc import (
    LocalDiscriminator,
    StMMC,
    contrast_loss,
    load_released,
    make_graph,
    read_out,
    stmmc_loss,
)


def near(found, expected, tolerance=1e-4):
    found, expected = np.asarray(found.detach()), np.asarray(expected)
    return float(np.abs(found - expected).max()) <= tolerance * float(np.abs(expected).max())


def path(n):
    return sparse.csr_matrix(np.eye(n, k=1) + np.eye(n, k=-1))


def test_the_operator_on_a_path_of_three():
    root = 1 / np.sqrt(6)
    released = [[1.5, root, 0], [root, 4 / 3, root], [0, root, 1.5]]
    assert np.allclose(make_graph(path(3), released=True).operator.toarray(), released, atol=1e-6)
    plain = np.array(released) - np.eye(3)
    assert np.allclose(make_graph(path(3), released=False).operator.toarray(), plain, atol=1e-6)


def test_a_graph_passes_both_ways_and_surroundings_one_way():
    directed = sparse.csr_matrix(np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]))
    graph = make_graph(directed, released=False)
    assert np.allclose(graph.operator.toarray(), np.full((3, 3), 1 / 3))
    assert np.allclose(graph.around.toarray(), [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]])


def test_read_out_and_contrast_worked_by_hand():
    spots = torch.tensor([[3.0, 4.0], [0.0, 1.0], [1.0, 0.0]])
    around = sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], np.float32) / 2)
    summary = read_out(spots, around)
    assert np.allclose(summary, [[0.6259, 0.7021], [0.6698, 0.6698], [0.6698, 0.6698]], atol=1e-4)
    judge = LocalDiscriminator(2)
    with torch.no_grad():
        judge.weight.copy_(torch.diag(torch.tensor([1.0, 0.5]))[None])
        judge.bias.fill_(0.1)
        logits = torch.stack([judge(spots, summary), judge(spots[[2, 0, 1]], summary)], dim=1)
    assert np.allclose(logits, [[3.3819, 0.7259], [0.4349, 3.4488], [0.7698, 0.4349]], atol=1e-4)
    assert float(contrast_loss(logits)) == pytest.approx(1.074639, abs=1e-6)


def test_xavier_bounds_are_those_of_a_bilinear_form():
    torch.manual_seed(0)
    bound = float(LocalDiscriminator(32).weight.detach().abs().max())
    assert 0.07 < bound < np.sqrt(6 / 1056)


def test_one_modality_alone_and_two_layers():
    torch.manual_seed(0)
    graph = make_graph(path(5), released=False)
    orders = torch.randperm(5)
    seen = StMMC((7,), dim=3)((torch.rand(5, 7),), (graph,), (orders,))
    assert seen.reconstruction.shape == (5, 7)
    assert len(seen.logits) == 1
    two = StMMC((7, 4), dim=3, hidden=6)
    seen = two((torch.rand(5, 7), torch.rand(5, 4)), (graph, graph), (orders, orders))
    stmmc_loss(seen, torch.rand(5, 7)).backward()
    assert all(float(part.grad.abs().sum()) > 0 for part in two.parameters())


def test_weights_of_another_network_are_refused():
    with pytest.raises(InputError, match="the published stMMC expected in here"):
        load_released(StMMC((4, 3)), {"weight1_1": torch.zeros(4, 3)}, source="here")


@pytest.fixture(params=["layers1", "layers2"])
def released(request, parity_dir):
    folder = parity_dir / "stmmc_small"
    given, extra = load_file(folder / "inputs.safetensors"), load_file(folder / "graphs_and_extras.safetensors")
    network = StMMC((64, 16), dim=8, hidden=12 if request.param == "layers2" else None, squashed=False)
    load_released(network, load_file(folder / request.param / "state_dict.safetensors"), source="stmmc_small")
    graphs = tuple(
        make_graph(sparse.csr_matrix(extra[f"{name}_knn"].numpy()), released=True) for name in ("spatial", "gene")
    )
    for graph, name in zip(graphs, ("spatial", "gene"), strict=True):
        assert np.allclose(graph.operator.toarray(), extra[f"{name}_operator"], atol=1e-6)

    def run():
        return network((given["expression"], given["image"]), graphs, (given["perm_gene"], given["perm_image"]))

    return network, run, given["expression"], load_file(folder / request.param / "outputs.safetensors")


@pytest.mark.data
def test_the_released_network_gives_its_numbers(released):
    network, run, expression, expected = released
    seen = run()
    assert near(seen.hidden, expected["hidden"])
    assert near(seen.reconstruction, expected["reconstruction"])
    losses = []
    for pair, name in zip(seen.logits, ("gene", "image"), strict=True):
        for logits, which in zip(pair, ("", "_corrupt"), strict=True):
            assert near(logits, expected[f"logits_{name}{which}"])
            losses.append(contrast_loss(logits))
    assert near(torch.stack(losses), expected["bce"])
    total = stmmc_loss(seen, expression)
    assert near(total, expected["total"])
    total.backward()
    for found, name in (
        (network.encoders[0][0], "weight1_1"),
        (network.encoders[1][0], "weight1_2"),
        (network.shares[0], "w1"),
        (network.discriminators[0].weight, "disc1"),
    ):
        assert near(found.grad, expected[f"grad.{name}"], 1e-3), name


@pytest.mark.data
def test_three_steps_of_training_give_the_released_losses(released):
    network, run, expression, expected = released
    adam, losses = torch.optim.Adam(network.parameters(), 0.01), []
    for _ in range(3):
        loss = stmmc_loss(run(), expression)
        losses.append(loss.detach())
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert near(torch.stack(losses), expected["train_losses"], 1e-3)
    assert near(run().reconstruction, expected["reconstruction_after_3_steps"], 1e-3)
    assert near(network.shares[0], expected["w1_after_3_steps"], 1e-3)


def test_graphs_are_sparse():
    assert make_graph(path(1000), released=True).operator.nnz == 3 * 1000 - 2
