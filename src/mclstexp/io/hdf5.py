"""The one way to HDF5 files: what a stranger's file could have HDF5 do is refused before anything is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import anndata as ad
import h5py

from mclstexp.core.errors import InputError
from mclstexp.io.bounds import RATIO, SPARE_BYTES
from mclstexp.io.guard import reading
from mclstexp.io.heaps import check_heaps
from mclstexp.io.sparse_checks import check_sparse

_FILTERS: Final = {
    h5py.h5z.FILTER_DEFLATE: "gzip",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
    h5py.h5z.FILTER_SZIP: "szip",
    h5py.h5z.FILTER_NBIT: "nbit",
    h5py.h5z.FILTER_SCALEOFFSET: "scaleoffset",
    h5py.h5z.FILTER_LZF: "lzf",
    307: "bzip2",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
    32026: "blosc2",
}
"""Filters that may stand before the data; the numbers are those registered with the HDF Group."""
_MAX_PARTS: Final = 200_000


@contextmanager
def opened_hdf5(path: Path | str, what: str) -> Iterator[h5py.File]:
    """Open a file for reading, after a look at all its parts.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, as in "a 10x count matrix".

    Raises
    ------
    InputError
        If it is absent, damaged, takes data from other files, uses a filter beyond the known, or declares far more
        data than it holds; and for whatever is raised while it is read inside the block.
    """
    with reading(path, what), h5py.File(path, "r") as file:
        check_heaps(path)
        _inspect(file, path, what)
        yield file


def read_anndata(path: Path | str, what: str, *, backed: bool = False) -> ad.AnnData:
    """Read an AnnData file (.h5ad).

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for messages.
    backed
        Whether ``X`` stays in the file, which is then open until ``.file.close()``.

    Raises
    ------
    InputError
        As `opened_hdf5`.
    """
    with opened_hdf5(path, what):
        pass
    with reading(path, what):
        return check_sparse(ad.read_h5ad(path, backed="r" if backed else None))


@contextmanager
def appending_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file of our own making, to write on."""
    with h5py.File(path, "r+") as file:
        yield file


def _inspect(file: h5py.File, path: Path | str, what: str) -> None:
    if file.userblock_size:
        msg = f"{what} expected in {path}, found {file.userblock_size} bytes before it (a user block): do not trust it"
        raise InputError(msg)
    n_bytes, unstored = Path(path).stat().st_size, 0
    for dataset in _datasets(file, path):
        if dataset.is_virtual or dataset.external:
            raise InputError(_led_out(path, dataset.name))
        _check_filters(dataset, path)
        stored = min(dataset.id.get_storage_size(), n_bytes)
        declared = dataset.size * dataset.id.get_type().get_size() if dataset.size else 0
        unstored += max(0, declared - RATIO * stored)
        if unstored > SPARE_BYTES:  # HDF5 leaves out what holds the fill value alone
            msg = (
                f"{what} expected in {path}, found {dataset.name} to declare {declared:.3g} bytes where the file "
                f"holds {stored} of it: do not trust it"
            )
            raise InputError(msg)


def _datasets(file: h5py.File, path: Path | str) -> Iterator[h5py.Dataset]:
    """Yield each dataset once, following hard links alone; not recursive, as a file may be nested without end."""
    waiting, seen = [file["/"]], set()
    within: dict[int, list[int]] = {}
    soft = []
    while waiting:
        group = waiting.pop()
        inner = within[_address(group)] = []
        for name in group:
            if _is_soft(group, name, path):  # leads within the file, to what is looked at anyway
                soft.append((inner, group, name))
                continue
            item = group[name]
            address, is_group = _address(item), isinstance(item, h5py.Group)
            inner += [address] * is_group
            if address in seen:
                continue
            seen.add(address)
            _require_few(len(seen), path)
            if is_group:
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                yield item
    for inner, group, name in soft:  # now that no link leads out of the file
        if isinstance(item := group.get(name), h5py.Group):
            inner.append(_address(item))
    _require_an_end(within, path)


def _is_soft(group: h5py.Group, name: str, path: Path | str) -> bool:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise InputError(_led_out(path, f"{group.name}/{name}"))
    return isinstance(link, h5py.SoftLink)


def _require_few(n_parts: int, path: Path | str) -> None:
    if n_parts > _MAX_PARTS:
        msg = f"at most {_MAX_PARTS} parts expected in {path}, found more: do not trust it"
        raise InputError(msg)


def _address(item: h5py.HLObject) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _require_an_end(within: Mapping[int, Sequence[int]], path: Path | str) -> None:
    """Refuse links by which a group lies in itself, or by which there are ways without number to the same things."""
    n_ways: dict[int, int] = {}
    try:
        for group in TopologicalSorter(within).static_order():
            n_ways[group] = 1 + sum(n_ways[inner] for inner in within.get(group, ()))
    except CycleError:
        msg = f"groups that end expected in {path}, found a link from one back into itself: do not trust it"
        raise InputError(msg) from None
    _require_few(max(n_ways.values()), path)


def _check_filters(dataset: h5py.Dataset, path: Path | str) -> None:
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(number)
        if code not in _FILTERS:
            said = name.decode(errors="replace") or "unnamed"
            known = ", ".join(_FILTERS.values())
            msg = (
                f"data packed by a known filter ({known}) expected in {path}, found filter {code} ({said}) before "
                f"{dataset.name}: save it with gzip"
            )
            raise InputError(msg)
        if not h5py.h5z.filter_avail(code):
            msg = (
                f"data that this HDF5 can unpack expected in {path}, found {dataset.name} packed with "
                f"{_FILTERS[code]}: save it with gzip"
            )
            raise InputError(msg)


def _led_out(path: Path | str, name: str) -> str:
    part = name.strip("/")
    return f"a file that holds its data itself expected, found {path} to read its {part} from another: do not trust it"
