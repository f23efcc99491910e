"""What makes networks fast on a CPU: memory that is kept, and bfloat16 where the processor has it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import torch

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_MMAP_MAX: Final = -4
"""Numbers of glibc's ``mallopt`` (malloc.h)."""
_KEEP_BYTES: Final = 2**31 - 1


@cache
def prepare_cpu() -> bool:
    """Keep freed activations in the process instead of handing them back to the system; return whether that took.

    Half of a convolutional network's time on a CPU is page faults of memory that was freed a moment ago. The
    setting holds for the whole process and cannot be undone; its price is that memory once used stays in use.
    Nothing else is set globally. Without glibc (macOS, Windows, musl) nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    # older glibc refuses a threshold above 32 MiB; then no mapping at all does the same
    mapped = mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES) or mallopt(_M_MMAP_MAX, 0)
    return bool(mapped and mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES))


@cache
def fast_dtype() -> torch.dtype:
    """Return bfloat16 where the processor multiplies it natively (AVX512-BF16 or AMX), else float32.

    Where it has to be emulated, bfloat16 is slower than float32. Only Linux on x86 tells; elsewhere float32.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("flags")[2]
    except OSError:
        return torch.float32
    here = flags.partition("\n")[0].split()
    return torch.bfloat16 if {"avx512_bf16", "amx_bf16"} & set(here) else torch.float32
