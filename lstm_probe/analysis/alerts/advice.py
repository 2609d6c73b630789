"""What to try against an illness: it depends on the cell, and on what the layer reads."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.analysis import Analysis

__all__ = [
    "against_dead_units",
    "against_growth",
    "against_jumps",
    "against_saturation",
    "for_a_longer_memory",
]

#: An input with a larger root mean square is thought to be unscaled.
_LARGE_INPUT = 5.0


def for_a_longer_memory(analysis: Analysis) -> str:
    """A memory that is too short, or a gradient that vanishes.

    Source:
        Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 2.2, for the
        biases. Le, Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of
        Rectified Linear Units".
    """
    cell = analysis.snapshot.cell
    if cell is None or cell.keeper is None:
        return "relu with an identity as recurrent kernel and a lower learning rate; or an LSTM"
    length = analysis.health.probe_length
    return (
        f"biases of gate {cell.keeper} from log(2) to log({length}), unit by unit (chrono "
        "initialisation)"
    )


def against_growth(analysis: Analysis) -> str:
    """A gradient that explodes."""
    if analysis.snapshot.cell_name == "simple_rnn":
        return "clipnorm=1.0 together with an orthogonal recurrent kernel"
    return "clipnorm=1.0 together with a smaller recurrent kernel"


def against_saturation(analysis: Analysis, gate: str) -> str:
    """A gate that is nearly always at one of its ends; the one that keeps is shut, and forgets."""
    x = (
        analysis.snapshot.x
        if analysis.snapshot.mask is None
        else analysis.snapshot.x[analysis.snapshot.mask]
    )
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if x.size else 0.0
    if size > _LARGE_INPUT:
        return (
            f"inputs of unit variance, from the start: these have a root mean square of {size:.2g}"
        )
    if analysis.snapshot.cell is not None and gate == analysis.snapshot.cell.keeper:
        return for_a_longer_memory(analysis)
    return "a lower learning rate and smaller initial weights, from the start"


def against_jumps(ratio: float, steady: float) -> str:
    """A matrix that changes too much with each step: its change is proportional to the rate."""
    times = float(f"{ratio / steady:.0e}")
    return f"a learning rate {times:.0f} times lower, from the start, or warming it up"


def against_dead_units(analysis: Analysis) -> str:
    """Units that do not move."""
    activation = getattr(analysis.snapshot.cell, "activation", None)
    if activation == "relu":
        return "tanh instead of relu, with a lower learning rate, from the start"
    return "a lower learning rate, from the start, or fewer units"
