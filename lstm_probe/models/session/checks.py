"""Whether the tensors that the user gave belong together: seen before the first step."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.analysis.parity.error import TOLERANCES, Parity, difference
from lstm_probe.analysis.parity.judged_steps import excess_of_steps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.models.session.runs import Run
from lstm_probe.models.tensorflow.graph import ancestors

__all__ = ["check_connected", "check_equal", "check_first_step", "check_lengths"]

# If the error of the first step is more than this multiple of what rounding explains, the tensors
# do not belong together. No step before it can have amplified it; a wrong tensor gives thousands.
_MARGIN = 100
# An output beyond this is not one that is zero by chance.
_ZERO = 1e-3


def check_connected(run: Run) -> None:
    """Refuse outputs that do not depend on the inputs."""
    inputs = [tensor.op.name for tensor in tf.nest.flatten(run.inputs)]
    reached = ancestors(tf.nest.flatten(run.outputs))
    if not set(inputs) & reached.keys():
        raise LstmProbeError(
            f"The inputs and outputs do not belong together. Received: outputs that do not depend "
            f"on {inputs[0]!r}. Expected: the tensor, or list of tensors, that the cell was run "
            "on, and what came out."
        )


def check_equal(twin: Any, outputs: Any, carried: str) -> None:
    """Refuse sequences that should be equal and are not.

    Args:
        twin: what the cell gives for the user's inputs, run once more; or the states that its steps
            returned.
        outputs: the user's outputs; or the states that the next steps were given.
        carried: as in `Check`.
    """
    dtype = np.dtype(outputs.dtype).name
    error = difference(twin, outputs).max() if twin.shape == outputs.shape else np.inf
    if error > _MARGIN * TOLERANCES[dtype] and carried:
        raise LstmProbeError(
            f"The steps of a cell are no sequence. Received: {carried}, which differs by "
            f"{error:.3g} from what the step before returned. Expected: a wrapper that hands the "
            "states of its cells on. Probe the cell by the tensors of its own calls: lists of "
            "its inputs and outputs."
        )
    if error > _MARGIN * TOLERANCES[dtype]:
        raise LstmProbeError(
            f"The outputs are not what the cell gives for the inputs. Received: outputs of shape "
            f"{outputs.shape} that differ by {error:.3g} from those of the cell, run again on the "
            "inputs. Expected: no difference. Are time_major, sequence_length and initial_state "
            "those of the run, and is every keep probability fed 1.0?"
        )


def check_first_step(snapshot: Snapshot, parity: Parity | None) -> None:
    """Refuse tensors that differ in the first step by more than rounding explains.

    In one step, rounding is not amplified, so that such tensors are not of the same computation.
    """
    if parity is None or parity.verdict is None or parity.verdict.kind == "match":
        return
    first = snapshot.timesteps - 1 if snapshot.reverse else 0
    error = parity.float64.per_timestep[first]
    excess = excess_of_steps(snapshot)
    # For a cell that bounds no rounding, the tolerance is all that is known.
    times = float(error / parity.tolerance if excess is None else excess[:, 0].max())
    if times > _MARGIN:
        raise LstmProbeError(
            f"The inputs and outputs of {snapshot.layer!r} do not belong together, or the cell "
            f"computes by other equations. Received: outputs that differ by {error:.3g} from "
            f"{snapshot.cell} in the first step, {times:.3g} times what rounding explains. "
            "Expected: no more than rounding explains. Are time_major and initial_state those of "
            "the run?"
        )


def check_lengths(snapshot: Snapshot, trace: GateTrace) -> None:
    """Refuse outputs that end early, which shows that the run had a `sequence_length`."""
    silent = (snapshot.output == 0).all(axis=-1) & (np.abs(trace.h) > _ZERO).any(axis=-1)
    if snapshot.mask is None and silent.any():
        raise LstmProbeError(
            f"The outputs of {snapshot.layer!r} end before the probe does. Received: outputs that "
            f"are all zero in {int(silent.sum())} steps, and no sequence_length. Expected: the "
            "sequence_length that the run was given."
        )
