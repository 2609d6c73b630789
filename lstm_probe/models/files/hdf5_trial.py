"""Having another process read an HDF5 file first: a damaged one may never let go of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from lstm_probe.core.limits import damaged

__all__ = ["try_hdf5"]

#: Seconds that any file may take, and bytes of a file for each second more.
_SECONDS, _BYTES = 10.0, 2e7
# The modules are found where this process finds them, and nowhere else.
_READ_ALL = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import zipfile
import h5py
path, member = sys.argv[2:]
file = zipfile.ZipFile(path).open(member) if member else path
def visit(name, item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset) and item.nbytes < 2**20 and not (
        item.external or item.is_virtual
    ):
        item[()]
with h5py.File(file, "r") as opened:
    dict(opened.attrs)
    opened.visititems(visit)
"""


def try_hdf5(path: Path, member: str = "") -> None:
    """Refuse a file at which the HDF5 library hangs or crashes.

    Damaged attributes can make it read for ever, and nothing in the same process can stop it. What
    it merely complains about is left to who reads the file next.

    Args:
        path: an HDF5 file, or a zip archive.
        member: which file of the archive.

    Raises:
        LstmProbeError: it does one of these.
    """
    if sys.executable:  # else Python is part of another program, and cannot be started
        state = path.stat()
        _try(path, member, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)  # a checkpoint is opened for its step, and again for its model
def _try(path: Path, member: str, size: int, _: int) -> None:
    limit = _SECONDS + size / _BYTES
    # Isolated, and with no relative folder to import from: a model's own may hold a `json.py`.
    folders = json.dumps([folder for folder in sys.path if os.path.isabs(folder)])
    command = [sys.executable, "-I", "-c", _READ_ALL, folders, str(path), member]
    try:
        status = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limit,
        ).returncode
    except subprocess.TimeoutExpired:
        reason = f"what the HDF5 library has read for {limit:.0f} s without an end"
        raise damaged(path, "a Keras .h5 file", reason) from None
    if status < 0:
        raise damaged(path, "a Keras .h5 file", f"what the HDF5 library dies of (signal {-status})")
