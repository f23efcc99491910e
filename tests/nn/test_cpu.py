"""The processor's speed is used where it is there."""

import subprocess
import sys

import pytest
import torch

from mclstexp.nn import cpu


@pytest.mark.parametrize(
    ("content", "dtype"),
    [
        ("processor: 0\nflags\t\t: fpu avx512f avx512_bf16 clzero\n", torch.bfloat16),
        ("flags : fpu amx_bf16\n", torch.bfloat16),
        ("flags : fpu avx2 avx512f\nflags : avx512_bf16\n", torch.float32),
        ("Features : fp asimd bf16\n", torch.float32),
        (None, torch.float32),
    ],
)
def test_bfloat16_only_where_the_processor_has_it(monkeypatch, content, dtype):
    def read(*_args, **_options):
        if content is None:
            raise FileNotFoundError
        return content

    monkeypatch.setattr(cpu.Path, "read_text", read)
    assert cpu.fast_dtype.__wrapped__() == dtype


FREED = """
import numpy as np, resource, sys
from mclstexp.nn.cpu import prepare_cpu
kept = prepare_cpu()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**24, np.uint8)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
def test_freed_memory_is_kept():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    if kept == "False":
        pytest.skip("this system's memory allocator has no such setting")
    assert int(faults) < 20 * 2**24 / 4096 / 4  # one round of the twenty faults, not all


def test_no_allocator_to_set_is_no_error(monkeypatch):
    monkeypatch.setattr(cpu.ctypes, "CDLL", lambda _name: object())
    assert cpu.prepare_cpu.__wrapped__() is False
