"""Objects of a pickle that are not wanted: they are made into nothing, and none of them is run."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstm_probe.core.limits import check_zip

__all__ = ["Ignored", "is_lightning", "training_step"]


class Ignored:
    """Stands for an object of a class that is not known, whatever the pickle does with it.

    Example:
        >>> isinstance(Ignored("arguments").append(1), Ignored)
        True
    """

    #: The name of the class.
    name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Ignored:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Ignored:
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    append = extend = add = update = __call__


def is_lightning(loaded: Any) -> bool:
    """Whether what a pickle holds is a checkpoint of Lightning's `Trainer`."""
    is_checkpoint = isinstance(loaded, Mapping) and "pytorch-lightning_version" in loaded
    return is_checkpoint and isinstance(loaded.get("state_dict"), Mapping)


def training_step(path: Path) -> int:
    """The training step of a checkpoint of Lightning; 0 of any other file of torch.

    No tensor is read.

    Args:
        path: a zip archive of torch's.

    Raises:
        LstmProbeError: it is damaged.
    """
    check_zip(path, "a torch state dictionary")
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            with archive.open(name) as file:
                loaded = _WithoutTensors(file).load()
    except Exception:  # who reads the tensors says what is wrong
        return 0
    step = loaded.get("global_step") if is_lightning(loaded) else None
    return step if isinstance(step, int) and step > 0 else 0


class _WithoutTensors(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else Ignored

    def persistent_load(self, pid: Any) -> Any:
        return None
