"""`Verdict`: what a parity error means. `Place`: where the two computations part.

`Unjudged`: what of the output cannot be judged, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

__all__ = ["KINDS", "Kind", "Place", "Unjudged", "Verdict"]

Kind: TypeAlias = Literal["match", "reduced precision", "mismatch"]
#: The kinds of verdicts, from the best to the worst.
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: So many sequences are listed in words.
_SHOWN = 3


@dataclass(frozen=True)
class Place:
    """Where a mismatch shows first.

    Attributes:
        timestep: the index, in the order of the input's time, of the first timestep that the layer
            computes with an error that rounding does not explain.
        sequence: the index in the batch of the sequence with the worst error at that timestep.
        unit: the unit with the worst error there.
        gate: the letter of the gate in which other weights explain that error best; None where
            that cannot be told.

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
class Unjudged:
    """What of a framework's output differs, but cannot be judged.

    Attributes:
        timestep: the index, in the order of the input's time, of the first timestep, in the order
            of reading, that cannot be judged.
        sequences: the indices in the batch of the sequences that it concerns.
        reason: why, as the rest of a sentence that begins with "where".

    Example:
        >>> print(Unjudged(timestep=3, sequences=(0, 2), reason="float32 overflows"))
        not judged from timestep 3 of sequences 0, 2 on, where float32 overflows
    """

    timestep: int
    sequences: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.sequences[:_SHOWN]))
        several = "s" if len(self.sequences) > 1 else ""
        more = " and others" if len(self.sequences) > _SHOWN else ""
        whose = f"sequence{several} {shown}{more}"
        return f"not judged from timestep {self.timestep} of {whose} on, where {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """What the parity error means.

    Attributes:
        kind: `match`: the framework computes these equations, up to rounding in the layer's
            dtype; `reduced precision`: it computes them up to rounding in a narrower type;
            `mismatch`: it computes something else.
        excess: the largest error, as a multiple of the error that rounding explains; 0 or more.
        defect: the largest error of a single step that begins with the framework's own state; NaN
            where the whole sequences were so near that single steps were not recomputed.
        bound: the largest error of a single step that rounding explains; NaN like `defect`.
        precision: the name of the narrower type, for `reduced precision`.
        place: where the two computations part first, for `mismatch`.
        unjudged: what the verdict says nothing about, because it cannot be judged; None if
            everything was.

    Source:
        Corless 1994, "What good are numerical simulations of chaotic dynamical systems?" (the
        defect as backward error of a chaotic sequence).

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
    unjudged: Unjudged | None = None

    def __str__(self) -> str:
        if self.precision is not None:
            return f"{self.kind} ({self.precision})"
        if self.kind == "match" and self.unjudged is not None:
            return f"{self.kind} ({self.unjudged})"
        return self.kind if self.place is None else f"{self.kind} from {self.place}"
