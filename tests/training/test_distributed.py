"""Two processes equal one with the joined batch: same losses, same weights."""

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from processes import started

PROGRAM = Path(__file__).with_name("two_processes.py")


def _run(n_processes: int, out: Path) -> dict[str, torch.Tensor]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    with ExitStack() as running:
        ranks = []
        for rank in range(n_processes):
            env = common if n_processes == 1 else {**common, "RANK": str(rank), "WORLD_SIZE": str(n_processes)}
            ranks.append(running.enter_context(started([sys.executable, PROGRAM, out], env=env)))
        assert [process.wait(timeout=240) for process in ranks] == [0] * n_processes
    return dict(np.load(out))


@pytest.mark.slow
def test_two_gloo_processes_equal_one(tmp_path):
    one, two = _run(1, tmp_path / "one.npz"), _run(2, tmp_path / "two.npz")
    assert set(one) == set(two)
    np.testing.assert_allclose(two.pop("loss"), one.pop("loss"), rtol=1e-12)
    assert len(one) > 5
    for name, array in one.items():
        np.testing.assert_allclose(two[name], array, rtol=1e-8, atol=1e-10, err_msg=name)
