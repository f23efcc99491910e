"""Sizes that go together: minutes on two cores, or nearer to what the paper names its scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mclstexp_genomics.classifier import TaskOptions
from mclstexp_genomics.masked import ModelOptions
from mclstexp_genomics.tokenizer import TokenizerOptions


@dataclass(frozen=True)
class Preset:
    """Options of the three stages."""

    tokenizer: TokenizerOptions = field(default_factory=TokenizerOptions)
    """Stage 1."""
    model: ModelOptions = field(default_factory=ModelOptions)
    """Stage 2."""
    task: TaskOptions = field(default_factory=TaskOptions)
    """Stage 3."""


PRESETS: Final[dict[str, Preset]] = {
    "tiny": Preset(
        TokenizerOptions(dim=32, steps=300, batch=48),
        ModelOptions(width=64, layers=2, steps=300, batch=48),
        TaskOptions(epochs=8),
    ),
    "small": Preset(),
    "large": Preset(  # BERT-base; the paper's own sizes were not available
        TokenizerOptions(dim=256, width=256, sizes=(32, 128, 512), steps=10_000),
        ModelOptions(width=768, layers=12, heads=12, steps=50_000),
    ),
}
"""By name: "tiny" takes minutes on two cores, "small" an hour, "large" a GPU."""
