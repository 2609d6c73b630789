"""`Verdict`: what a parity error means, and the place where the two computations part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Kind", "Place", "Verdict"]

Kind: TypeAlias = Literal["match", "reduced precision", "mismatch"]


@dataclass(frozen=True)
class Place:
    """Where a mismatch shows.

    Attributes:
        timestep: the first, in the order in which the layer reads, as an index of the input's
            time.
        sequence: the index in the batch.
        unit: the one whose error is worst at that timestep.
        gate: the gate in which other weights explain it best; None where that cannot be told.

    Example:
        >>> print(Place(timestep=3, sequence=0, unit=7, gate="f"))
        timestep 3, sequence 0, unit 7, most likely gate f
    """

    timestep: int
    sequence: int
    unit: int
    gate: str | None

    def __str__(self) -> str:
        gate = "" if self.gate is None else f", most likely gate {self.gate}"
        return f"timestep {self.timestep}, sequence {self.sequence}, unit {self.unit}{gate}"


@dataclass(frozen=True)
class Verdict:
    """What the parity error means.

    Attributes:
        kind: `match`: the framework computes these equations, up to rounding in the layer's
            dtype; `reduced precision`: up to rounding in a narrower type; `mismatch`: it computes
            something else.
        excess: the largest error of one step, as a multiple of what rounding explains.
        defect: the largest error of one step from the framework's own state; NaN where the whole
            sequences were so near that single steps were not looked at.
        bound: the largest error of one step that rounding explains; NaN likewise.
        precision: the narrower type, for `reduced precision`.
        place: where they part first, for `mismatch`.

    Example:
        >>> print(Verdict("match", excess=0.1))
        match
    """

    kind: Kind
    excess: float
    defect: float = float("nan")
    bound: float = float("nan")
    precision: str | None = None
    place: Place | None = None

    def __str__(self) -> str:
        if self.precision is not None:
            return f"{self.kind} ({self.precision})"
        return self.kind if self.place is None else f"{self.kind} from {self.place}"
