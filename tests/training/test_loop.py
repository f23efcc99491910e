"""The loop: it learns, it resumes to the same numbers, it leaves the caller's random state alone."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from mclstexp.training.loop import TrainingOptions, learning_rate, train

X = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32))
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])


def _net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 1))


def _step(net):
    return lambda rows: ((net(X[rows])[:, 0] - Y[rows]) ** 2).mean()


def test_the_loss_goes_down():
    net = _net()
    history = train(net, _step(net), 50, options=TrainingOptions(epochs=30, batch_size=10, learning_rate=1e-2))
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert not net.training


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, optimiser):
    options = TrainingOptions(epochs=6, batch_size=16, optimiser=optimiser)
    straight = _net()
    history = train(straight, _step(straight), 50, options=options)

    class Killed(Exception):
        pass

    def kill(epoch, loss):
        if epoch == 3:
            raise Killed

    first = _net()
    with pytest.raises(Killed):
        train(first, _step(first), 50, options=options, workdir=tmp_path, on_epoch=kill)
    torch.randn(7)  # whatever else happens in between
    second = _net()
    epochs = []
    resumed = train(
        second, _step(second), 50, options=options, workdir=tmp_path, on_epoch=lambda e, loss: epochs.append(e)
    )
    assert epochs == [4, 5, 6]
    assert resumed == history
    for a, b in zip(straight.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_other_data_or_a_damaged_one_is_passed_over(tmp_path):
    options = TrainingOptions(epochs=2, batch_size=16)
    net = _net()
    train(net, _step(net), 50, options=options, workdir=tmp_path, key="these")
    epochs = []
    train(net, _step(net), 50, options=options, workdir=tmp_path, key="others", on_epoch=lambda e, _: epochs.append(e))
    assert epochs == [1, 2]
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    train(net, _step(net), 50, options=options, workdir=tmp_path, key="others", on_epoch=lambda e, _: epochs.append(e))
    assert epochs == [1, 2, 1, 2]


def test_a_checkpoint_with_one_number_changed_is_passed_over(tmp_path):
    options = TrainingOptions(epochs=2, batch_size=16)
    net = _net()
    train(net, _step(net), 50, options=options, workdir=tmp_path)
    file = tmp_path / "checkpoint.safetensors"
    with safe_open(file, "pt") as opened:
        meta, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    tensors["module.0.bias"][0] += 1  # a whole file, of another training
    save_file(tensors, file, metadata=meta)
    epochs = []
    train(net, _step(net), 50, options=options, workdir=tmp_path, on_epoch=lambda e, _: epochs.append(e))
    assert epochs == [1, 2]


def test_the_callers_random_state_is_kept():
    net = _net()
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    train(net, _step(net), 50, options=TrainingOptions(epochs=1, batch_size=16))
    assert torch.equal(torch.randn(3), expected)


def test_the_rate_warms_up_and_ends_near_zero():
    options = TrainingOptions(learning_rate=1.0)
    rates = [learning_rate(options, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 1e-3
    assert learning_rate(TrainingOptions(schedule="constant"), 57, 100) == TrainingOptions().learning_rate


def test_fewer_rows_than_a_batch_make_one_batch():
    net = _net()
    history = train(net, lambda rows: (net(X[rows]) ** 2).mean(), 5, options=TrainingOptions(epochs=1, batch_size=128))
    assert len(history) == 1


def test_sgd_keeps_nine_tenths_of_its_momentum():
    weight = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weight.weight)
    options = TrainingOptions(
        epochs=3,
        batch_size=4,
        learning_rate=0.1,
        weight_decay=0.0,
        optimiser="sgd",
        schedule="constant",
        clip_norm=None,
    )
    train(weight, lambda rows: 2 * weight.weight.sum(), 4, options=options)
    # a gradient of 2: steps of 0.1 times 2, 2 + 0.9 · 2 and 2 + 0.9 · 3.8
    assert weight.weight.item() == pytest.approx(-0.1 * (2 + 3.8 + 5.42), rel=1e-5)
