"""At which training step a checkpoint was written."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.ignored import training_step
from lstm_probe.models.files.kinds import Kind, kind_of

__all__ = ["find_checkpoints", "in_order"]

_ENDINGS = (".keras", ".h5", ".index", ".onnx", ".pt", ".pth", ".ckpt", ".safetensors", ".npz")


def find_checkpoints(paths: Sequence[Path]) -> list[Path]:
    """The checkpoints that paths stand for: a directory stands for all that are in it.

    Raises:
        LstmProbeError: a directory has none.

    Example:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp())
        >>> (directory / "epoch-2.keras").touch()
        >>> [path.name for path in find_checkpoints([directory])]
        ['epoch-2.keras']
    """
    return [found for path in paths for found in _of(path)]


def _of(path: Path) -> Iterator[Path]:
    if not path.is_dir() or (path / "saved_model.pb").is_file():
        yield path
        return
    found = [each for each in sorted(path.iterdir()) if each.suffix in _ENDINGS]
    found += [each.parent for each in sorted(path.glob("*/saved_model.pb"))]
    if not found:
        raise LstmProbeError(
            f"{path} has no checkpoints. Received: a directory without files that end with "
            f"{', '.join(_ENDINGS)}. Expected: some of them, or SavedModels."
        )
    yield from found


def in_order(paths: Sequence[Path]) -> list[tuple[int, Path]]:
    """Checkpoints with their steps, the earliest first.

    The step is the optimizer's where every file tells it, and each another one; else the last
    number in the name, such as 3 in `epoch-03.keras`.

    Raises:
        LstmProbeError: neither tells them apart.
    """
    for steps in ([_stored_step(path) for path in paths], [_number(path) for path in paths]):
        known = [step for step in steps if step is not None]
        if len(set(known)) == len(paths):
            return sorted(zip(known, paths, strict=True))
    names = ", ".join(path.name for path in paths[:4])
    raise LstmProbeError(
        f"The steps of the checkpoints are not known. Received: {names}, whose optimizers and "
        "names tell no different steps. Expected: names with the step or epoch, such as "
        "weights-0100.weights.h5."
    )


def _number(path: Path) -> int | None:
    name = path.with_suffix("").name if path.suffix in _ENDINGS else path.name
    numbers = re.findall(r"\d+", name.removesuffix(".weights"))
    return int(numbers[-1]) if numbers else None


def _stored_step(path: Path) -> int | None:
    """None where the file tells none."""
    from lstm_probe.models.files import checkpoints

    kind = kind_of(path)
    if kind in (Kind.CHECKPOINT, Kind.SAVED_MODEL):
        return checkpoints.step_of(path) or None
    if kind is Kind.TORCH:
        return training_step(path) or None
    if kind is Kind.HDF5 or (kind is Kind.KERAS and zipfile.is_zipfile(path)):
        from lstm_probe.models.files.child.allowance import allowance_for
        from lstm_probe.models.files.child.questions import step_in_child

        return step_in_child(path, allowance_for(path)) or None
    return None
