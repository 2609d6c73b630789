"""`Convention`, and `Candidate`: a convention together with what a snapshot reads like under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from lstm_probe.analysis.parity.teacher_forcing import in_reading_order
from lstm_probe.analysis.snapshot import Snapshot

__all__ = ["Candidate", "Convention", "Reread", "change", "joined"]

#: Gives a snapshot as it reads under a convention; None where the convention makes no sense of it.
Reread: TypeAlias = Callable[[Snapshot], "Snapshot | None"]


@dataclass(frozen=True)
class Convention:
    """A convention of a framework that explains a mismatch.

    Attributes:
        name: one of `gate_order`, `sigmoid`, `activation`, `forget_bias`, `bias`, `reset_after`,
            `update_gate`, `mask`, `shift`, `last_output`, `direction`, `initial_state`,
            `transposed`, `mirrored`, `clip`, `peephole`, `coupled`; two of them joined by `+`.
        explanation: what the framework does, as the rest of a sentence that begins with "the
            framework".

    Example:
        >>> print(Convention("forget_bias", "adds 1.0 to the forget gate"))
        forget_bias: the framework adds 1.0 to the forget gate
    """

    name: str
    explanation: str

    def __str__(self) -> str:
        return f"{self.name}: the framework {self.explanation}"


class Candidate(NamedTuple):
    """A convention that may explain a mismatch.

    Attributes:
        convention: what the framework may do.
        reread: gives any part of a batch, or the whole of it, as it reads under the convention.
        fitted: how many numbers were chosen so that the output fits. As many values of the output
            are no evidence for the convention.
        aligned: whether each step keeps its place.
        leaves_out: whether it leaves the wrong steps out, so that the other ones are the evidence.
        needs_all: whether what a step reads like depends on the steps after it.
    """

    convention: Convention
    reread: Reread
    fitted: int = 0
    aligned: bool = True
    leaves_out: bool = False
    needs_all: bool = False


def change(
    name: str, explanation: str, *, aligned: bool = True, fitted: int = 0, **changes: Any
) -> Candidate:
    """A candidate that changes some fields of a snapshot, which are the same for all sequences.

    Args:
        name: the name of the convention.
        explanation: what the framework does.
        aligned: whether each step keeps its place.
        fitted: how many numbers were chosen so that the output fits.
        changes: the new values of the snapshot's fields.
    """

    def reread(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, **changes)

    return Candidate(Convention(name, explanation), reread, fitted, aligned)


def joined(first: Candidate, second: Candidate) -> Candidate:
    """Two conventions at once.

    Args:
        first: the one that is applied first.
        second: one that was made of a snapshot as it reads under the first, in reading order.
    """
    one, other = first.convention, second.convention
    name = one.name if one.name == other.name else f"{one.name}+{other.name}"

    def reread(snapshot: Snapshot) -> Snapshot | None:
        changed = first.reread(snapshot)
        return None if changed is None else second.reread(in_reading_order(changed))

    return Candidate(
        Convention(name, f"{one.explanation}, and {other.explanation}"),
        reread,
        first.fitted + second.fitted,
        first.aligned and second.aligned,
        first.leaves_out or second.leaves_out,
        first.needs_all or second.needs_all,
    )
