"""What a learnt vocabulary is: how its codes are used, what they stand for, and whether they are but short words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mclstexp.core.errors import InputError
from mclstexp.core.options import build
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_writable
from mclstexp.nn.quantise import usage
from mclstexp_genomics.kmers import counts_of, kmer_numbers
from mclstexp_genomics.sequences import UNKNOWN, Bases, encode
from mclstexp_genomics.tokenizer import Tokenizer, TokenizerOptions

FORMAT: Final = 1
"""Of saved vocabularies."""
Codes = Int[np.ndarray, "n n_tokens n_levels"]


def reconstruction(tokenizer: Tokenizer, bases: Bases) -> float:
    """Return the share of known bases that the decoder gets right."""
    with torch.inference_mode():
        scores, _ = tokenizer.eval()(torch.as_tensor(bases))
    known = bases[:, : scores.shape[1]]
    return float((scores.argmax(dim=2).numpy() == known)[known != UNKNOWN].mean())


def described(tokenizer: Tokenizer, bases: Bases) -> list[dict[str, Any]]:
    """Say of each level how its codes are used, and which share of the vectors' variance it explains."""
    codes = torch.as_tensor(tokenizer.tokens(bases))
    with torch.inference_mode():
        vectors = tokenizer.encode(torch.as_tensor(bases))
    total = float(vectors.var(dim=(0, 1), correction=0).sum())
    rows, before = [], total
    for level, size in enumerate(tokenizer.options.sizes):
        left = float((vectors - tokenizer.quantiser.values_of(codes[..., : level + 1])).square().sum(dim=2).mean())
        rows.append({"size": size, **usage(codes[..., level], size), "explained": (before - left) / total})
        before = left
    return rows


def code_counts(codes: Codes, sizes: Sequence[int]) -> Float[np.ndarray, "n n_codes"]:
    """Return how often each code of each level stands in each sequence: a bag of learnt words."""
    return np.concatenate([counts_of(codes[..., level], size) for level, size in enumerate(sizes)], axis=1)


def kept_of_words(tokenizer: Tokenizer, sequences: Sequence[str]) -> float:
    """Return which share of the words' entropy the codes carry: of 1 the vocabulary is a table of all short words.

    Mutual information between the path of codes and the word under the patch, over the entropy of the words.
    """
    patch = tokenizer.options.patch
    words = kmer_numbers(sequences, patch, step=patch)
    codes = tokenizer.tokens(encode(sequences))[:, : words.shape[1]]
    known = words >= 0
    _, path = np.unique(codes[known], axis=0, return_inverse=True)
    joint = np.stack([path.ravel(), words[known]], axis=1)
    entropy = _entropy(words[known])
    return (_entropy(path.ravel()) + entropy - _entropy(joint)) / max(entropy, 1e-12)


def letters_of(tokenizer: Tokenizer, bases: Bases, *, level: int = 0) -> Float[np.ndarray, "size patch 4"]:
    """Return how often each letter stands at each base under each code of a level: its position-weight matrix."""
    patch, size = tokenizer.options.patch, tokenizer.options.sizes[level]
    codes = tokenizer.tokens(bases)[..., level]
    under = bases[:, : codes.shape[1] * patch].reshape(*codes.shape, patch)
    found = np.zeros((size, patch, 5))
    np.add.at(found, (codes[..., None], np.arange(patch), under), 1)
    known = found[..., :4]
    return known / np.maximum(known.sum(axis=2, keepdims=True), 1)


def _entropy(values: Int[np.ndarray, "*shape"]) -> float:
    _, counts = np.unique(values, axis=0, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum())


def require_free_folder(folder: Path | str) -> Path:
    """Refuse a place that is taken or cannot be written to, before minutes of work.

    Raises
    ------
    InputError
        If it is.
    """
    folder = Path(folder)
    if folder.exists():
        msg = f"a free place for the vocabulary expected, found {folder} taken: choose another"
        raise InputError(msg)
    require_writable(folder.parent)
    return folder


def save_vocabulary(tokenizer: Tokenizer, folder: Path | str) -> Path:
    """Write options (JSON) and weights (safetensors) of a vocabulary; the folder appears whole or not at all.

    Raises
    ------
    InputError
        If the place is taken, or cannot be written to.
    """
    folder = require_free_folder(folder)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        said = {"format": FORMAT, "options": asdict(tokenizer.options)}
        (temporary / "vocabulary.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
        save_file(tokenizer.state_dict(), temporary / "weights.safetensors")
    return folder


def load_vocabulary(folder: Path | str) -> Tokenizer:
    """Read what `save_vocabulary` wrote.

    Raises
    ------
    InputError
        If it is not there, of another format, or its weights are not those of its options.
    """
    folder = Path(folder)
    try:
        said = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "weights.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        msg = f"a vocabulary expected in {folder}, found none that can be read: make it by mclstexp-genomics tokens"
        raise InputError(msg) from error
    if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("options"), dict):
        msg = f"a vocabulary of format {FORMAT} expected in {folder}, found another: learn it again"
        raise InputError(msg)
    tokenizer = Tokenizer(build(TokenizerOptions, said["options"], where="the vocabulary's options"))
    expected = {name: value.shape for name, value in tokenizer.state_dict().items()}
    finite = all(bool(torch.isfinite(value).all()) for value in weights.values())
    if expected != {name: value.shape for name, value in weights.items()} or not finite:
        msg = f"weights of the vocabulary's options expected in {folder}, found others: copy it again"
        raise InputError(msg)
    tokenizer.load_state_dict(weights)
    return tokenizer.eval()
