"""ONNX graphs as ONNX Runtime computes them: the truth that NumPy is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.models.described import Contents, LayerContents, of_weights
from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx
from lstm_probe.models.files.onnx_exposed import expose
from lstm_probe.models.files.onnx_graphs import Recurrent, recurrent_nodes
from lstm_probe.models.files.onnx_inputs import GraphInputs
from lstm_probe.models.files.onnx_nodes import (
    RECURRENT,
    attributes_of,
    directions_of,
    inputs_of,
    is_quantised,
    weights_of,
)
from lstm_probe.models.files.onnx_session import NotLoadedError
from lstm_probe.models.opened import Opened, StoredCells, analysed_alone

__all__ = ["Compute", "RuntimeModel"]

#: Given a model as bytes, names of values and the inputs by name, gives the values.
Compute: TypeAlias = Callable[[bytes, Sequence[str], Mapping[str, Array]], Sequence[Array]]


class RuntimeModel(Opened):
    """A graph that ONNX Runtime computes, with the recurrent nodes' inputs and outputs shown.

    Args:
        path: the file, for messages.
        model: an `onnx.ModelProto`, as `prepared` makes it.
        names: the names of the recurrent nodes that are to be shown.
        compute: has ONNX Runtime compute it.
        alone: opens the same cells without ONNX Runtime, where it refuses the model.
    """

    kind = "an .onnx file (ONNX Runtime)"
    step = 0

    def __init__(
        self,
        path: Path,
        model: Any,
        names: Sequence[str],
        compute: Compute,
        alone: Callable[[str], StoredCells],
    ) -> None:
        self._path, self._model, self._names = path, model, names
        self._compute, self._alone = compute, alone
        self._inputs = GraphInputs(path, model)
        self.notes: list[str] = []

    def contents(self) -> Contents:
        layers = []
        for each in self._nodes(self._model):
            kind = RECURRENT[each.node.op_type].lower()
            for index, (end, reverse) in enumerate(directions_of(each.node)):
                name = each.name + end
                try:
                    weights = weights_of(each.node, each.constants, index)
                    layers.append(of_weights(name, kind, weights, reverse=reverse))
                except (LstmProbeError, KeyError):  # computed while the model runs, or not readable
                    units = attributes_of(each.node).get("hidden_size")
                    layers.append(LayerContents(name, kind, reverse, units=units))
        return Contents(layers, self._inputs.described())

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        return self._inputs.random(shape, rng)

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        feed = self._inputs.feed(probe)
        try:
            with reading(self._path, "an .onnx file"):
                seen, self.notes = self._run(feed)
        except NotLoadedError as error:
            alone = self._alone(str(error))
            # Cells alone know their own names, and not that of the only input of the graph.
            found = alone.analyses(next(iter(feed.values())) if len(feed) == 1 else probe)
            self.notes = alone.notes
            return found
        if not seen:
            raise LstmProbeError(f"{self._path}: {'; '.join(self.notes)}")
        return seen

    def _run(self, feed: Mapping[str, Array]) -> tuple[dict[str, Analysis], list[str]]:
        try:
            return self._shown(*self._computed(feed, loops=True))
        except NotLoadedError:
            raise
        except LstmProbeError:
            # What loops read may have another shape at each step, and cannot be stacked then.
            if not any(_loops(each) for each in self._nodes(self._model)):
                raise
            return self._shown(*self._computed(feed, loops=False))

    def _nodes(self, model: Any) -> list[Recurrent]:
        return [each for each in recurrent_nodes(model) if each.name in self._names]

    def _computed(
        self, feed: Mapping[str, Array], *, loops: bool
    ) -> tuple[list[Recurrent], list[dict[str, Array] | None]]:
        """The nodes, and for each the values that it knows; None where they are not to be had."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        nodes = self._nodes(model)
        wanted = [each for each in nodes if loops or not _loops(each)]
        exposed = expose(model, wanted)
        results = self._compute(
            model.SerializeToString(), [each.name for each in exposed], dict(feed)
        )
        values: list[dict[str, Array]] = [dict(each.constants) for each in wanted]
        for each, array in zip(exposed, results, strict=True):
            values[each.node][each.value] = array
        by_name = {each.name: values[place] for place, each in enumerate(wanted)}
        return nodes, [by_name.get(each.name) for each in nodes]

    def _shown(
        self, nodes: Sequence[Recurrent], values: Sequence[dict[str, Array] | None]
    ) -> tuple[dict[str, Analysis], list[str]]:
        found: dict[str, Analysis] = {}
        notes: list[str] = []
        for node, known in zip(nodes, values, strict=True):
            reason = _unseen(node, known)
            if known is None or reason:
                notes.append(f"{node.name} is not shown: {reason}")
                continue
            try:
                snapshots = list(_snapshots(node, known))
            except LstmProbeError as error:
                notes.append(f"{node.name} is not shown: {error}")
                continue
            for snapshot in snapshots:
                analysis, note = _analysis(node, snapshot)
                found[snapshot.layer] = analysis
                notes += note
            if _loops(node):
                kind = node.inside[-1]
                notes.append(
                    f"{node.name} is in the body of a {kind}, whose steps are shown as sequences"
                )
        return found, notes


def _loops(node: Recurrent) -> int:
    return sum(kind in ("Loop", "Scan") for kind in node.inside)


def _unseen(node: Recurrent, values: Mapping[str, Array] | None) -> str:
    """Why a node cannot be shown; empty where it can."""
    if values is None:
        return (
            f"it is in the body of a {node.inside[-1]}, and what it reads there cannot be stacked, "
            "as where its shape changes from step to step"
        )
    x = values.get(inputs_of(node.node).get("X", ""))
    if x is None or x.ndim != 3 + _loops(node) or x.size == 0:
        where = f"the graph of the {node.inside[-1]} that holds it" if node.inside else "it"
        return f"{where} is not run for this probe"
    return ""


def _analysis(node: Recurrent, snapshot: Snapshot) -> tuple[Analysis, list[str]]:
    """The analysis of one direction; weights of eight bits are not compared to the last digit."""
    if not is_quantised(node.node):
        return analyse(snapshot), []
    analysis = analysed_alone(snapshot)
    largest = float(np.abs(analysis.trace.h - snapshot.output).max())
    note = (
        f"{snapshot.layer} is not compared: ONNX Runtime rounds its inputs and states to eight "
        f"bits, as its weights are; h is within {largest:.1g} of that of ONNX Runtime"
    )
    return analysis, [note]


def _snapshots(recurrent: Recurrent, values: Mapping[str, Array]) -> Iterator[Snapshot]:
    node = recurrent.node
    inputs, attributes = inputs_of(node), attributes_of(node)
    values = _merged(recurrent, values)
    # X (time, batch, input), Y (time, directions, batch, units)
    x, y = values[inputs["X"]].swapaxes(0, 1), values[node.output[0]].transpose(2, 0, 1, 3)
    mask = None
    if "sequence_lens" in inputs:
        mask = mask_from_onnx(values[inputs["sequence_lens"]], x.shape[1])
    for index, (end, reverse) in enumerate(directions_of(node)):
        given = [values[inputs[each]] for each in ("initial_h", "initial_c") if each in inputs]
        state: tuple[Array, ...] | None = tuple(each[index] for each in given) or None
        weights = weights_of(node, values, index)
        if state is not None and RECURRENT[node.op_type] == "LSTM" and len(state) == 1:
            zeros = np.zeros((len(x), weights.units), x.dtype)
            is_cell_state = "initial_h" not in inputs
            state = (zeros, state[0]) if is_cell_state else (state[0], zeros)
        yield Snapshot(
            0,
            recurrent.name + end,
            cell_from_onnx(RECURRENT[node.op_type], attributes, direction=index, as_runtime=True),
            weights,
            x=x,
            output=y[:, :, index],
            mask=mask,
            initial_state=state,
            reverse=reverse,
            zero_output_for_mask=True,
            dtype=str(x.dtype),
        )


def _merged(recurrent: Recurrent, values: Mapping[str, Array]) -> dict[str, Array]:
    """The values of a node that a loop runs, with the steps of the loop as further sequences."""
    loops = _loops(recurrent)
    if not loops:
        return dict(values)
    inputs = inputs_of(recurrent.node)
    #: The axis of the batch, behind those of the loops.
    batch = {inputs["X"]: 1, recurrent.node.output[0]: 2}
    batch |= {inputs[k]: 1 for k in ("initial_h", "initial_c") if k in inputs}
    batch |= {inputs[k]: 0 for k in ("sequence_lens",) if k in inputs}
    steps = int(np.prod(values[inputs["X"]].shape[:loops]))
    merged = dict(values)
    for name in {*inputs.values(), recurrent.node.output[0]}:
        array = values[name]
        if name in recurrent.constants:
            if name in batch:  # the same at each step
                merged[name] = np.concatenate([array] * steps, axis=batch[name])
            continue
        array = array.reshape(steps, *array.shape[loops:])
        if name in batch:
            array = np.moveaxis(array, 0, batch[name])
            shape = array.shape
            axis = batch[name]
            merged[name] = array.reshape(
                *shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]
            )
        elif (array == array[:1]).all():
            merged[name] = array[0]
        else:
            raise LstmProbeError("its weights change from step to step of the loop that it is in")
    return merged
