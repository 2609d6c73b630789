"""From the user's cell, with its inputs and outputs, to the sites that are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.session.cells import DescribedCell, describe
from lstm_probe.models.session.fused import FusedCell
from lstm_probe.models.session.sites import Series, Site
from lstm_probe.models.session.twin import Twin, build_twin
from lstm_probe.models.session.wrappers import (
    has_fixed_dropout,
    is_stack_of,
    leaf_cells,
    without_dropout,
)

__all__ = ["Check", "Run", "as_run", "sites_of"]


@dataclass(frozen=True)
class Run:
    """How the user ran a cell, with the argument names of `dynamic_rnn` and similar functions.

    Attributes:
        inputs: one tensor of all steps, or a list with one tensor for each step.
        outputs: the outputs in the same form, or a pair for `bidirectional_dynamic_rnn`.
        time_major: whether tensors are `(time, batch, width)`.
        sequence_length: `(batch,)`, the number of steps of each sequence; None if all are read.
        initial_state: the initial state that the function took, a pair for two directions; None
            for zeros.
    """

    inputs: Any
    outputs: Any
    time_major: bool = False
    sequence_length: Any = None
    initial_state: Any = None


@dataclass(frozen=True)
class Check:
    """Two sequences that are equal if the user's inputs and outputs belong together.

    Attributes:
        twin: what the cell gives for the user's inputs, run once more.
        outputs: the user's outputs.
        carried: the state of which the two are what a step returned and what the next was given;
            empty for outputs.
    """

    twin: Series
    outputs: Series
    carried: str = ""


def as_run(
    inputs: Any, outputs: Any, time_major: bool, sequence_length: Any, initial_state: Any
) -> Run:
    """Bring the user's arguments into one form: steps become a list, two directions a tuple.

    Args:
        inputs: as in `Run`, or a tuple of steps.
        outputs: as in `Run`; two steps may be a tuple, and two directions a list.
        time_major: as in `Run`.
        sequence_length: as in `Run`.
        initial_state: as in `Run`.

    Example:
        >>> as_run((1, 2), [3, 4], False, None, None).inputs
        [1, 2]
    """
    inputs = list(inputs) if isinstance(inputs, tuple) else inputs
    if isinstance(outputs, (tuple, list)):
        whole = all(getattr(t, "shape", None) is not None and len(t.shape) == 3 for t in outputs)
        outputs = tuple(outputs) if whole and len(outputs) == 2 else list(outputs)
    return Run(inputs, outputs, bool(time_major), sequence_length, initial_state)


def sites_of(cell: Any, run: Run) -> tuple[list[Site], list[Check]]:
    """The sites of a cell, or of a pair `(cell_fw, cell_bw)`.

    Args:
        cell: a cell, with or without wrappers, or the pair.
        run: how the cell was run; reading its tensors does not disturb the training.

    Returns:
        The sites, and the tensors that must be equal if inputs and outputs belong together.

    Raises:
        LstmProbeError: the cell cannot be probed, or the outputs do not have the form that TF1's
            functions return.
    """
    if not isinstance(cell, (tuple, list)):
        _check_outputs(run)
        return _direction(cell, run, width_before=0)
    if len(cell) != 2:
        raise LstmProbeError(
            f"These are not the two directions of a bidirectional run. Received: {len(cell)} "
            "cells. Expected: (cell_fw, cell_bw). Cells on top of each other go into MultiRNNCell."
        )
    sites: list[Site] = []
    checks: list[Check] = []
    width = 0
    for index, each in enumerate(cell):
        found = _direction(each, _one_of_two(run, index), reverse=index == 1, width_before=width)
        sites += found[0]
        checks += found[1]
        width = int(each.output_size) if _is_joined(run.outputs) else 0
    return sites, checks


def _direction(
    cell: Any, run: Run, *, width_before: int, reverse: bool = False
) -> tuple[list[Site], list[Check]]:
    leaves = leaf_cells(cell)
    described = [describe(leaf) for leaf in leaves]
    own = Series(run.outputs, run.time_major, width_before)
    if described and not isinstance(cell, FusedCell):
        own = replace(own, stop=width_before + int(cell.output_size))
    base = Site(
        described[0],
        Series(run.inputs, run.time_major),
        own,
        _first(run.outputs).dtype.base_dtype.name,
        sequence_length=run.sequence_length,
        reverse=reverse,
    )
    last_only = not isinstance(run.outputs, list) and run.outputs.shape.rank == 2
    if leaves == [cell] and not last_only:
        return [replace(base, initial_state=_states(run.initial_state, described)[0])], []
    if isinstance(cell, FusedCell):
        raise LstmProbeError(
            "The outputs of a fused op are not a sequence. Received: one tensor of shape "
            f"{run.outputs.shape}. Expected: the outputs of all steps, as a list."
        )
    return _through_twin(cell, leaves, run, base, last_only)


def _through_twin(
    cell: Any, leaves: list[Any], run: Run, base: Site, last_only: bool
) -> tuple[list[Site], list[Check]]:
    as_list = isinstance(run.inputs, list)
    time_major = run.time_major and not as_list
    with without_dropout(cell):
        twin = build_twin(
            cell,
            leaves,
            tf.stack(run.inputs, axis=1) if as_list else run.inputs,
            time_major=time_major,
            sequence_length=run.sequence_length,
            initial_state=run.initial_state,
            reverse=base.reverse,
            with_states=not is_stack_of(cell, leaves),
        )
    sites = [
        replace(
            base,
            described=describe(tap.cell),
            x=Series(tap.x, time_major),
            output=Series(tap.output, time_major),
            initial_state=state,
        )
        for tap, state in zip(twin.taps, _states_of(cell, leaves, twin, run), strict=True)
    ]
    carried = [] if is_stack_of(cell, leaves) else _carried(cell, twin, base, time_major)
    if has_fixed_dropout(cell):  # the user's outputs are what dropout has left
        return [replace(site, silenced=type(cell).__name__) for site in sites], carried
    if last_only and twin.top_is_bare:
        sites[-1] = replace(sites[-1], final_output=run.outputs)
    if last_only:
        last = twin.top[-1] if time_major else twin.top[:, -1]
        return sites, [Check(Series([last]), Series([run.outputs])), *carried]
    if twin.top_is_bare:  # the user's own tensor is the one to compare with
        sites[-1] = replace(sites[-1], output=base.output)
    return sites, [Check(Series(twin.top, time_major), base.output), *carried]


def _states_of(cell: Any, leaves: list[Any], twin: Twin, run: Run) -> list[list[Any]]:
    """The initial states of the cells in the twin."""
    described = [describe(tap.cell) for tap in twin.taps]
    if is_stack_of(cell, leaves) and len(described) == len(leaves):
        return _states(run.initial_state, described)
    # A wrapper of the user's own gives them what it likes.
    return [_states(tap.first, [each])[0] for tap, each in zip(twin.taps, described, strict=True)]


def _carried(cell: Any, twin: Twin, base: Site, time_major: bool) -> list[Check]:
    """That a wrapper of the user's own hands the states of the cells inside on as they are."""
    checks = []
    for tap in twin.taps:
        given, returned = tap.given, tap.returned
        if time_major:
            given, returned = tf.transpose(given, [1, 0, 2]), tf.transpose(returned, [1, 0, 2])
        earlier, later = (given, returned) if base.reverse else (returned, given)
        pair = [earlier[:, :-1], later[:, 1:]]
        if base.sequence_length is not None:
            mask = tf.sequence_mask(base.sequence_length - 1, tf.shape(given)[1] - 1)
            pair = [each * tf.cast(mask[:, :, None], each.dtype) for each in pair]
        what = f"the state that {type(cell).__name__} gives {describe(tap.cell).name!r}"
        checks.append(Check(Series(pair[0]), Series(pair[1]), what))
    return checks


def _states(initial_state: Any, cells: Sequence[DescribedCell]) -> list[list[Any]]:
    """The initial states of each cell, `h` first; empty where the cell begins with zeros."""
    if initial_state is None:
        return [[] for _ in cells]
    sizes = [size for cell in cells for size in cell.state_sizes]
    flat = tf.nest.flatten(initial_state)
    if len(flat) != len(sizes):  # with state_is_tuple=False, the states are one tensor
        flat = tf.split(tf.concat(flat, axis=1), sizes, axis=1)
    states = []
    for cell in cells:
        count = len(cell.state_sizes)
        states.append(flat[:count][::-1])
        flat = flat[count:]
    return states


def _one_of_two(run: Run, index: int) -> Run:
    state = run.initial_state
    if state is not None:
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise LstmProbeError(
                f"The initial state is not that of two directions. Received: {state!r}. "
                "Expected: (initial_state_fw, initial_state_bw); either may be None."
            )
        state = state[index]
    outputs = run.outputs if _is_joined(run.outputs) else run.outputs[index]
    _check_outputs(replace(run, outputs=outputs))
    return replace(run, outputs=outputs, initial_state=state)


def _is_joined(outputs: Any) -> bool:
    """Whether the outputs of both directions are concatenated, in one tensor or in each step's."""
    return isinstance(outputs, list) or not isinstance(outputs, tuple)


def _check_outputs(run: Run) -> None:
    outputs = run.outputs
    sequence = outputs if isinstance(outputs, list) else [outputs]
    ranks = {2} if isinstance(outputs, list) else {2, 3}
    if not sequence or any(not tf.is_tensor(t) or t.shape.rank not in ranks for t in sequence):
        raise LstmProbeError(
            f"The outputs are not those of a recurrent run. Received: {outputs!r}. Expected: the "
            "first of what dynamic_rnn or static_rnn returns - a tensor (batch, time, units) or a "
            "list with one tensor (batch, units) for each step - without the states."
        )
    if (
        not isinstance(outputs, list)
        and outputs.shape.rank == 2
        and run.sequence_length is not None
    ):
        raise LstmProbeError(
            f"The last output alone cannot be compared. Received: outputs of shape "
            f"{outputs.shape} together with sequence_length. Expected: the outputs of all steps."
        )
    both = isinstance(run.inputs, list) and isinstance(outputs, list)
    if both and len(run.inputs) != len(outputs):
        raise LstmProbeError(
            f"The inputs and outputs do not belong together. Received: {len(run.inputs)} inputs "
            f"and {len(outputs)} outputs. Expected: one of each for every step."
        )


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, list) else outputs
