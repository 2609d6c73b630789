"""Looking through an HDF5 file of Keras before anything of it is loaded."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lstm_probe.core.limits import RATIO, allow, damaged

__all__ = ["check_hdf5", "read_through", "step_in"]

#: Arrays of at least so many bytes are not read through: their numbers are no program.
_LARGE = 2**20


def check_hdf5(path: Path, file: Any) -> int:
    """Refuse a file that leads outside of itself or would fill the memory.

    Args:
        path: for messages and the size.
        file: an open `h5py.File`.

    Returns:
        How many bytes the arrays hold: an array may say that it is large and store nothing.

    Raises:
        LstmProbeError: it has links to elsewhere, or arrays far larger than the file.
    """
    claimed = held = 0
    for name, item in _walk(path, file):
        if getattr(item, "external", None) or getattr(item, "is_virtual", False):
            raise damaged(path, "a Keras .h5 file", f"array {name!r}, whose data is in other files")
        size = int(getattr(item, "nbytes", 0))
        claimed += size
        held += min(size, RATIO * int(item.id.get_storage_size())) if size else 0
    allow(path, claimed)
    return held


def _walk(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    import h5py

    waiting, seen = [("", file)], set()
    while waiting:
        prefix, group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise damaged(path, "a Keras .h5 file", f"a link out of {prefix or '/'}: {name!r}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            yield f"{prefix}/{name}", item
            if isinstance(item, h5py.Group):
                waiting.append((f"{prefix}/{name}", item))


def step_in(file: Any) -> int:
    """The training step that a file's optimizer had come to; 0 if it holds none."""
    places = ("optimizer/vars/0", "optimizer_weights/iteration:0", "optimizer_weights/iteration")
    found = [file[place] for place in places if place in file]
    if not found and "optimizer_weights" in file:
        group = file["optimizer_weights"]
        names = [f"{each}/iteration" for each in group]
        found = [group[n] for n in (*names, *(f"{n}:0" for n in names)) if n in group]
    if not found or found[0].shape != () or found[0].dtype.kind not in "iu":
        return 0
    return int(found[0][()])


def read_through(path: Path, member: str = "") -> None:
    """Read all attributes and small arrays of a file.

    Damaged ones make the HDF5 library read for ever, or crash: this is for a process that may.

    Args:
        path: an HDF5 file, or a zip archive.
        member: which file of the archive.
    """
    import h5py

    def visit(_: str, item: Any) -> None:
        dict(item.attrs)
        is_array = isinstance(item, h5py.Dataset) and item.nbytes < _LARGE
        if is_array and not (item.external or item.is_virtual):
            item[()]

    with ExitStack() as stack:
        file: Any = str(path)
        if member:
            file = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(member))
        opened = stack.enter_context(h5py.File(file, "r"))
        dict(opened.attrs)
        opened.visititems(visit)
