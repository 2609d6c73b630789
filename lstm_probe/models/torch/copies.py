"""Copies of tensors that the next training step may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["Copies", "in_structure"]


class Copies:
    """Copies tensors into memory of the host, and says when the copies are there.

    A tensor on the CPU is copied at once, because PyTorch writes into tensors in place. One on a
    CUDA device is copied into pinned memory on the stream that the training itself uses. There the
    copy is made after all that wrote to the tensor and before the optimizer's next step, although
    the training thread does not wait for it. A stream of our own would race the optimizer.

    Attributes:
        nbytes: How many bytes have been copied.

    Example:
        >>> copies, tensor = Copies(), torch.ones(2)
        >>> copy = copies.of(tensor)
        >>> _ = tensor.zero_()
        >>> copies.wait()
        >>> copy.tolist(), copies.nbytes
        ([1.0, 1.0], 8)
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._devices: set[torch.device] = set()
        self._events: list[Any] = []

    def of(self, structure: Any) -> Any:
        """Copies of all tensors in a structure of tuples, lists and dicts, in the same structure.

        Args:
            structure: What has no tensors in it stays as it is.
        """
        return in_structure(self._copy, structure)

    def mark(self) -> None:
        """All copies have been asked for: note when the devices will have made them."""
        for device in self._devices:
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream(device))
            self._events.append(event)

    def wait(self) -> None:
        """Wait until the copies are there. This may be called on any thread."""
        for event in self._events:
            event.synchronize()

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach()
        self.nbytes += tensor.numel() * tensor.element_size()
        if tensor.device.type == "cpu":
            return tensor.clone()
        if tensor.device.type != "cuda":
            return tensor.to("cpu")
        self._devices.add(tensor.device)
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return pinned.copy_(tensor, non_blocking=True)


def in_structure(change: Any, structure: Any) -> Any:
    """A structure of tuples, lists and dicts with a function applied to the tensors in it.

    Args:
        change: Takes a tensor.
        structure: A `PackedSequence` is one with its data changed.

    Example:
        >>> in_structure(lambda tensor: tensor + 1, {"x": (torch.zeros(1), None)})
        {'x': (tensor([1.]), None)}
    """
    if isinstance(structure, torch.Tensor):
        return change(structure)
    if isinstance(structure, Mapping):
        return {key: in_structure(change, value) for key, value in structure.items()}
    if isinstance(structure, torch.nn.utils.rnn.PackedSequence):
        # batch_sizes stay on the CPU, where PyTorch wants them.
        fields = [None if each is None else change(each) for each in structure]
        return torch.nn.utils.rnn.PackedSequence(fields[0], structure.batch_sizes, *fields[2:])
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(in_structure(change, each) for each in structure))
    if isinstance(structure, (list, tuple)):
        return type(structure)(in_structure(change, each) for each in structure)
    return structure
