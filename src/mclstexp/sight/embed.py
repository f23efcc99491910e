"""Tiles to embeddings: read by threads, computed in batches of one shape, kept in the cache."""

from __future__ import annotations

import copy
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.progress import counted, known
from mclstexp.core.tiles import Tiles
from mclstexp.data.features import FeatureCache, cache_folder
from mclstexp.data.recent_features import KeptFeatures, RecentFeatures
from mclstexp.nn.cpu import fast_dtype, prepare_cpu
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder

Precision = Literal["auto", "float32", "bfloat16"]
PRECISION: Final = "MCLSTEXP_PRECISION"
"""Environment variable that says how frozen encoders compute where nothing else is said."""

BATCH_SIZE: Final = {"cpu": 16, "cuda": 128}
"""Where speed stops growing (DenseNet-121 and EfficientNet-Lite0 at 224 px on 2 cores); memory goes on growing."""
N_READERS: Final = 4
"""Threads that read tiles."""
N_AHEAD: Final = 2
"""Batches read ahead of the one being computed; bounds the memory."""
SHARD_TILES: Final = 512
"""Embeddings kept at once: all that a killed process loses."""

_MOVES: Final = "which moves features of efficientnet_lite0 by 5 %"
"""Median of benchmarks/precision.py; of DenseNet-121 bench_encoder.py tells 0.4 %."""

_store: ContextVar[RecentFeatures | None] = ContextVar("_store", default=None)


@contextmanager
def features_kept_in(store: RecentFeatures) -> Iterator[None]:
    """Within the block embeddings are looked for and kept in `store` (memory) and not in the cache on disk."""
    token = _store.set(store)
    try:
        yield
    finally:
        _store.reset(token)


def embed_tiles(
    tiles: Tiles,
    encoder: str | ImageEncoder,
    *,
    precision: Precision | None = None,
    batch_size: int | None = None,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Float[np.ndarray, "n_tiles dim"]:
    """Compute the embedding of every tile, or take it from the cache.

    A tile's embedding does not depend on which others are asked: batches have one shape, the last is filled up.

    Parameters
    ----------
    tiles
        Where to look.
    encoder
        A name of `create_encoder`, whose embeddings are cached and which runs on a GPU where there is one; or an
        encoder, which runs where it is and is cached only with a `cache_dir` or within `features_kept_in`.
    precision
        ``"float32"``, the same on every machine; ``"bfloat16"``, faster where the device computes it natively;
        ``"auto"``, bfloat16 there and float32 elsewhere. By default ``$MCLSTEXP_PRECISION``, or float32. What it
        moves: docs/trust.md.
    batch_size
        Tiles computed at once; 16 on a CPU, where more are no faster, and 128 on a GPU by default.
    cache_dir
        Folder of the cache; ``$MCLSTEXP_CACHE`` or the platform's cache folder by default.
    progress
        Show how far it is, where somebody looks on.

    Returns
    -------
    (n_tiles, dim) float32, row by row the tiles'.

    Raises
    ------
    InputError
        If the encoder cannot be had, takes tiles of another size, or the cache cannot be used.
    """
    network, weights_hash = _named(encoder) if isinstance(encoder, str) else (_prepared(encoder), None)
    dtype = _dtype(precision, network.mean.device)
    store = _store.get()
    if cache_dir is None and weights_hash is None and store is None:
        return _embed(tiles, network, dtype=dtype, batch_size=batch_size, progress=progress)
    key = identity.of_features(tiles.slide, tiles.spec, sight=_sight(network, weights_hash, dtype))
    cache = FeatureCache(cache_dir or cache_folder(), key=key) if store is None else store.under(key)
    features, present = cache.lookup(tiles.xy, dim=network.dim)
    known(int(present.sum()), unit="tile")
    if present.all():
        return features
    cache.check_writable()
    with cache.turn():  # processes that need the same tiles at once wait, and then find them
        features, present = cache.lookup(tiles.xy, dim=network.dim)
        if not present.all():
            missing = tiles.take(~present)
            features[~present] = _embed(
                missing, network, dtype=dtype, batch_size=batch_size, progress=progress, cache=cache
            )
    return features


def _embed(
    tiles: Tiles,
    encoder: ImageEncoder,
    *,
    dtype: torch.dtype,
    batch_size: int | None,
    progress: bool,
    cache: FeatureCache | KeptFeatures | None = None,
) -> Float[np.ndarray, "n_tiles dim"]:
    """Compute every embedding, keeping each in the cache if there is one."""
    batch_size = batch_size or BATCH_SIZE["cuda" if encoder.mean.is_cuda else "cpu"]
    features = np.zeros((len(tiles), encoder.dim), np.float32)
    # around all batches, for autocast forgets the weights it has rounded where it ends
    rounded = torch.autocast(encoder.mean.device.type, dtype, enabled=dtype != torch.float32)
    shown = counted(f"embedding {tiles.slide.id}", len(tiles), unit="tile", show=progress)
    with _kept(cache) as keep, shown as on_done, torch.inference_mode(), rounded:
        for rows, block in _compute(tiles, encoder, batch_size=batch_size):
            features[rows] = block
            keep(tiles.xy[rows], block)
            on_done(rows.stop, "")
    return features


def fixed_size_px(encoder: str | ImageEncoder) -> int | None:
    """Return the only tile size (pixels) an encoder takes, or None where any will do."""
    return (_named(encoder)[0] if isinstance(encoder, str) else encoder).size_px


def frozen_encoder(name: str) -> dict[str, str]:
    """Say what turns tiles into embeddings here and now: what a model that learnt from them must remember.

    Returns
    -------
    "name" of the encoder, which of a local file says the architecture alone; "weights_hash"; "precision"; "device".
    """
    network, weights_hash = _named(name)
    return _sight(network, weights_hash, _dtype(None, network.mean.device))


def check_encoder(name: str, fitted: Mapping[str, str], *, n_features: int | None = None) -> None:
    """Refuse an encoder whose weights are not those a model learnt from: its predictions would be noise.

    Another precision than the model's is warned of.

    Parameters
    ----------
    name
        The encoder about to be used.
    fitted
        What `frozen_encoder` said when the model was fitted; models of older versions know no precision.
    n_features
        How many features of a tile the model takes, where that is to be checked too.

    Raises
    ------
    InputError
        If the weights differ.
    """
    found, network = frozen_encoder(name), _named(name)[0]
    if found["weights_hash"] != fitted.get("weights_hash"):
        msg = (
            f"weights {fitted.get('weights_hash')} of {fitted.get('name')}, which the model was fitted on, expected, "
            f"found {found['weights_hash']}: use that version of the weights or fit again"
        )
        raise InputError(msg)
    if n_features not in (None, network.dim):
        msg = f"a model of {network.dim} features expected for {name}, found one of {n_features}: copy it again"
        raise InputError(msg)
    if fitted.get("precision", found["precision"]) != found["precision"]:
        text = (
            f"the model was fitted on features in {fitted['precision']}, these are in {found['precision']}, {_MOVES}: "
            f"set {PRECISION}={fitted['precision']}"
        )
        warnings.warn(text, stacklevel=2)


def _sight(network: ImageEncoder, weights_hash: str | None, dtype: torch.dtype) -> dict[str, str]:
    return {
        "name": network.name.partition("@")[0],
        "weights_hash": weights_hash or network.weights_hash,
        "precision": str(dtype).removeprefix("torch."),
        "device": network.mean.device.type,
    }


@lru_cache(maxsize=2)
def _named(name: str) -> tuple[ImageEncoder, str]:
    """Create an encoder once; nobody else holds it, so its weights and their hash stay as they are."""
    encoder = create_encoder(name)
    weights_hash = encoder.weights_hash
    return _laid_out(encoder.to("cuda" if torch.cuda.is_available() else "cpu")), weights_hash


def _prepared(encoder: ImageEncoder) -> ImageEncoder:
    """Copy a caller's encoder, so that its mode and memory layout stay as they are."""
    return _laid_out(copy.deepcopy(encoder).eval())


def _laid_out(encoder: ImageEncoder) -> ImageEncoder:
    return encoder.to(memory_format=torch.channels_last)


def _dtype(precision: str | None, device: torch.device) -> torch.dtype:
    precision = precision or os.environ.get(PRECISION) or "float32"
    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
        return fast_dtype()
    if precision not in ("float32", "bfloat16"):
        msg = f"precision ({PRECISION}) must be 'auto', 'float32' or 'bfloat16', found {precision!r}"
        raise InputError(msg)
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _compute(tiles: Tiles, encoder: ImageEncoder, *, batch_size: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield (rows, their embeddings) batch by batch."""
    prepare_cpu()
    device = encoder.mean.device
    with closing(_read_ahead(tiles, batch_size)) as batches:
        for rows, images in batches:
            # one shape always: kernels are chosen by shape, and another kernel rounds differently
            full = images
            if len(images) < batch_size:
                full = np.zeros((batch_size, *images.shape[1:]), np.uint8)
                full[: len(images)] = images
            # rows, columns, channels in memory are what torch calls channels-last
            pixels = torch.from_numpy(full).permute(0, 3, 1, 2).to(device)
            yield rows, encoder(pixels)[: len(images)].cpu().numpy()


def _read_ahead(tiles: Tiles, batch_size: int) -> Generator[tuple[slice, UInt8[np.ndarray, "n size_px size_px 3"]]]:
    """Yield (rows, their images), reading the next batches while one is used."""
    batches = [range(len(tiles))[start : start + batch_size] for start in range(0, len(tiles), batch_size)]
    pool = ThreadPoolExecutor(N_READERS, thread_name_prefix="read-tiles")
    waiting: deque[list[Future[NDArray[np.uint8]]]] = deque()
    try:
        for number, rows in enumerate(batches):
            for ahead in batches[number + len(waiting) : number + 1 + N_AHEAD]:
                waiting.append([pool.submit(tiles.read, row) for row in ahead])
            yield slice(rows.start, rows.stop), np.stack([future.result() for future in waiting.popleft()])
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _kept(
    cache: FeatureCache | KeptFeatures | None,
) -> Iterator[Callable[[NDArray[np.float64], NDArray[np.float32]], None]]:
    """Collect embeddings into shards; what was computed before an interruption is kept too."""
    parts: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []

    def flush() -> None:
        if cache is not None and parts:
            xy, features = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            parts.clear()
            cache.add(xy, features)

    def keep(xy: NDArray[np.float64], features: NDArray[np.float32]) -> None:
        parts.append((xy, features))
        if sum(len(part) for part, _ in parts) >= SHARD_TILES:
            flush()

    try:
        yield keep
    finally:
        flush()
