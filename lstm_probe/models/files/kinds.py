"""Which kind of file a path leads to, told by its content before its name."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import check_zip
from lstm_probe.models.files.torch_file import LEGACY

__all__ = ["Kind", "kind_of"]


class Kind(Enum):
    """The kinds of files that hold a model; the value is what messages call it."""

    KERAS = "a .keras file"
    HDF5 = "a Keras .h5 file"
    SAVED_MODEL = "a SavedModel"
    CHECKPOINT = "a TensorFlow checkpoint"
    ONNX = "an .onnx file"
    TORCH = "a torch state dictionary"
    SAFETENSORS = "a .safetensors file"
    NPZ = "an .npz file"


_EXPECTED = (
    "a .keras, .h5, .onnx, .pt, .safetensors or .npz file, a SavedModel directory, or a "
    "TensorFlow checkpoint (its path without .index)"
)
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def kind_of(path: Path) -> Kind:
    """What there is at a path.

    Raises:
        LstmProbeError: nothing, or nothing that holds a model.

    Example:
        >>> import numpy as np, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> np.savez(path, **{"memory/kernel": np.zeros((3, 8))})
        >>> kind_of(path)
        <Kind.NPZ: 'an .npz file'>
    """
    if path.is_dir():
        return _kind_of_directory(path)
    if path.suffix == ".index" or path.with_name(path.name + ".index").is_file():
        return Kind.CHECKPOINT
    if not path.is_file():
        raise LstmProbeError(f"There is no model. Received: {path}. Expected: {_EXPECTED}.")
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise LstmProbeError(f"{path} is empty. Expected: {_EXPECTED}.")
    if start.startswith(_HDF5_MAGIC):
        return Kind.HDF5
    if start.startswith(b"PK"):
        return _kind_of_zip(path)
    if start.startswith(LEGACY):
        return Kind.TORCH
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size:
        return Kind.SAFETENSORS
    by_name = {
        ".onnx": Kind.ONNX,
        ".h5": Kind.HDF5,
        ".hdf5": Kind.HDF5,
        ".keras": Kind.KERAS,
        ".npz": Kind.NPZ,
        ".safetensors": Kind.SAFETENSORS,
        ".pt": Kind.TORCH,
        ".pth": Kind.TORCH,
        ".ckpt": Kind.TORCH,
    }
    if path.suffix.lower() in by_name:
        return by_name[path.suffix.lower()]
    raise LstmProbeError(
        f"{path} is no model. Received: a file that begins with {start!r}. Expected: {_EXPECTED}."
    )


def _kind_of_directory(path: Path) -> Kind:
    if (path / "saved_model.pb").is_file():
        return Kind.SAVED_MODEL
    if (path / "checkpoint").is_file() or any(path.glob("*.index")):
        return Kind.CHECKPOINT
    raise LstmProbeError(
        f"{path} is a directory without a model. Received: neither a saved_model.pb nor a "
        f"checkpoint in it. Expected: {_EXPECTED}."
    )


def _kind_of_zip(path: Path) -> Kind:
    known = {".keras": Kind.KERAS, ".npz": Kind.NPZ}
    known |= dict.fromkeys((".pt", ".pth", ".ckpt"), Kind.TORCH)
    if path.suffix in known:  # where the archive is damaged, its reader says so
        return known[path.suffix]
    names = check_zip(path, "a zip archive")
    if "config.json" in names:
        return Kind.KERAS
    if any(name.endswith("/data.pkl") for name in names):
        return Kind.TORCH
    if any(name.endswith(".npy") for name in names):
        return Kind.NPZ
    raise LstmProbeError(
        f"{path} is a zip archive without a model. Received: members "
        f"{', '.join(names[:5]) or 'none'}. Expected: {_EXPECTED}."
    )
