"""What a pass through PyTorch's modules may change, and how it is put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch

from lstm_probe.models.purity.kept import Generator, Kept

__all__ = ["INTERNAL", "kept"]

#: The attributes of a module in which PyTorch itself keeps things.
INTERNAL: Final = frozenset(vars(torch.nn.Module()))


@dataclass(frozen=True)
class _Elements:
    """What a tensor holds."""

    where: str
    owner: Any
    before: Any
    version: int

    def changed(self) -> bool:
        same = _version(self.owner) == self.version and self.owner.shape == self.before.shape
        return not (same and torch.equal(self.owner, self.before))

    def restore(self) -> bool:
        if self.owner.shape == self.before.shape:
            self.owner.data.copy_(self.before)
        else:
            self.owner.data = self.before
        return True


def kept(where: str, value: Any) -> Kept | None:
    """What can be kept of a tensor or of a generator of random numbers; None for other values.

    Args:
        where: how a user finds it.
        value: anything.
    """
    if isinstance(value, torch.Generator):
        return _state_of(where, value)
    has_values = isinstance(value, torch.Tensor) and value.device.type != "meta"
    if has_values and value.layout is torch.strided:
        return _Elements(where, value, value.detach().clone(), _version(value))
    return None


def _state_of(where: str, generator: torch.Generator) -> Generator:
    def read() -> list[int]:
        state: list[int] = generator.get_state().tolist()
        return state

    def write(state: list[int]) -> None:
        generator.set_state(torch.tensor(state, dtype=torch.uint8))

    return Generator(where, generator, read(), read, write)


def _version(tensor: Any) -> int:
    """How often a tensor has been written to, as far as PyTorch counts it."""
    return 0 if tensor.is_inference() else int(tensor._version)
