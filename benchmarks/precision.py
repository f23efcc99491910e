"""What bfloat16 features cost against float32: python benchmarks/precision.py DATA [METHOD …].

Each olfactory-bulb section in DATA/mob_st is predicted from the other two, with the frozen encoder's features in
either precision. Prints how far the features move (median length of the difference over the length), then for each
method the mean PCC in either precision, and what a model fitted in float32 predicts from bfloat16 features: the
difference's root mean square over the predictions' standard deviation, per gene, and its PCC. On a processor without
bfloat16 every product's factors and every layer's result are rounded to it and summed up in float32, as the others do.
"""

from __future__ import annotations

import copy
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

import mclstexp as mx
from mclstexp.core.panel import select_hvg
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.section import Section
from mclstexp.io.read import read_sections
from mclstexp.nn.cpu import fast_dtype
from mclstexp.nn.image_encoders import ImageEncoder
from mclstexp.sight import embed
from mclstexp.sight.embed import PRECISION, embed_tiles

ENCODER = "efficientnet_lite0"
METHODS = {"knn": {}, "ridge": {}, "pls": {}, "mclstexp": {"symmetric": False}}
BOTH = ("float32", "bfloat16")


def emulate_bfloat16() -> None:
    """Let `embed_tiles` round to bfloat16 where the processor has none; torch's own way there takes hours."""
    compute = embed._embed

    def rounding(tiles, encoder: ImageEncoder, *, dtype: torch.dtype, **given: object):
        low = encoder if dtype == torch.float32 else _rounded(encoder)
        return compute(tiles, low, dtype=torch.float32, **given)

    embed._embed = rounding


def _rounded(encoder: ImageEncoder) -> ImageEncoder:
    low = copy.deepcopy(encoder)
    near = lambda value: value.bfloat16().float()  # noqa: E731
    for module in low.network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = near(module.weight.data)
            module.register_forward_pre_hook(lambda _, inputs: tuple(near(one) for one in inputs))
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, output: near(output))
    return low


@contextmanager
def computed_in(precision: str) -> Iterator[None]:
    os.environ[PRECISION] = precision
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the model was fitted on features in")
        yield


def print_features(sections: list[Section]) -> None:
    found = {}
    for precision in BOTH:
        start = time.perf_counter()
        with computed_in(precision):
            found[precision] = np.concatenate([embed_tiles(section.tiles, ENCODER) for section in sections])
        n_tiles, seconds = len(found[precision]), time.perf_counter() - start
        print(f"{n_tiles} tiles in {precision}: {seconds:.0f} s ({n_tiles / seconds:.1f} a second)", flush=True)
    full, low = (found[precision] for precision in BOTH)
    apart = np.linalg.norm(low - full, axis=1) / np.linalg.norm(full, axis=1)
    print(f"features of {ENCODER} moved by {np.median(apart):.2%} (median), {apart.max():.2%} (most)\n", flush=True)


def main(data: Path, *names: str) -> None:
    if fast_dtype() == torch.float32 and not torch.cuda.is_available():
        emulate_bfloat16()
    sections = read_sections(data / "mob_st", format="st_folder")
    print_features(sections)
    print("| method | float32 | bfloat16 | fitted in float32, predicted in bfloat16 | predictions moved by |")
    print("|---|---:|---:|---:|---:|")
    for name in names or METHODS:
        scores, moved = [], []
        for test in sections:
            train = [section for section in sections if section is not test]
            space = mx.ExpressionSpace.fit(train, genes=[gene for gene in select_hvg(train) if gene in test.genes])
            models = {}
            for precision in BOTH:
                with computed_in(precision):
                    models[precision] = mx.create(name, encoder=ENCODER, **METHODS[name]).fit(train, space=space)
            answers = []
            for fitted, asked in (("float32", "float32"), ("bfloat16", "bfloat16"), ("float32", "bfloat16")):
                with computed_in(asked):
                    answers.append(models[fitted].predict(test.tiles).X)
            truth = space(test.counts)
            scores.append([np.nanmean(pearson_per_gene(truth, answer)) for answer in answers])
            spread = answers[0].std(axis=0)
            off = np.sqrt(np.square(answers[2] - answers[0]).mean(axis=0))
            moved.append(np.median(off[spread > 0] / spread[spread > 0]))
        own, low, mixed = np.mean(scores, axis=0)
        print(f"| {name} | {own:.4f} | {low:.4f} | {mixed:.4f} | {np.mean(moved):.1%} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
