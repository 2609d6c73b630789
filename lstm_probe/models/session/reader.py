"""Reading a cell from a session: its weights and its outputs, in one `session.run` of our own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.analysis.analysis import analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.session.checks import (
    check_connected,
    check_equal,
    check_first_step,
    check_lengths,
)
from lstm_probe.models.session.remarks import (
    DROPOUT_IS_OFF,
    RANDOM,
    named_by_direction,
    not_shown,
    told,
)
from lstm_probe.models.session.runs import Check, Run, sites_of
from lstm_probe.models.session.sites import Site
from lstm_probe.models.tensorflow.graph import ancestors, random_ops, undisturbed
from lstm_probe.models.tensorflow.noise import silenced

__all__ = ["SessionReader", "SessionSource", "Taken", "check_session", "graph_of"]


@dataclass(frozen=True)
class Taken:
    """What one `session.run` fetched: the weights, and what TensorFlow computes with them.

    Attributes:
        step: the training step of the weights.
        sites: the cells at their places in the graph.
        names: the name of each cell in logs.
        fetched: the fetched values of each cell, by the names of `Site.fetches`.
        remarks: what a reader of the log should know of the cells, by name.
    """

    step: int
    sites: Sequence[Site]
    names: Sequence[str]
    fetched: Sequence[Any]
    remarks: Mapping[str, str] = field(default_factory=dict)

    def snapshots(self) -> list[Snapshot]:
        """Make a snapshot of each cell. This may run on another thread than the training."""
        found = zip(self.sites, self.fetched, self.names, strict=True)
        return [site.snapshot(each, step=self.step, name=name) for site, each, name in found]


class SessionReader:
    """Reads one cell of a graph for one probe. Its constructor adds all the ops that it needs.

    Args:
        cell: a cell, a pair of cells, or a Keras 3 layer.
        run: how the user ran the cell.
        feeds: the probe, as `checked_feeds` returns it.

    Raises:
        LstmProbeError: the cell cannot be probed, the tensors do not belong together, or the probe
            does not fit.
    """

    def __init__(self, cell: Any, run: Run, feeds: Mapping[Any, Array]) -> None:
        self._feeds = feeds
        check_connected(run)
        graph, fed = graph_of(run), list(feeds)
        before = {op.name for op in graph.get_operations()}
        noisy = _noise(run, fed)
        self._sites, checks = _sites(cell, _without_side_effects(run, fed))
        scopes = [site.described.name for site in self._sites]
        is_pair = isinstance(cell, (tuple, list))  # a Keras layer has a name of the user's
        reverse = [is_pair and site.reverse for site in self._sites]
        self._names = _unique(named_by_direction(scopes, reverse))
        self._remarks: dict[str, list[str]] = {
            name: _told_of_dropout(site, noisy)
            for name, site in zip(self._names, self._sites, strict=True)
        }
        self._unshown = not_shown(graph, [*scopes, *self._names])
        # A second run of the cell may read random numbers of the training's: the noise that a
        # variational DropoutWrapper drew when it was made.
        own = {op.name for op in graph.get_operations()} - before
        pairs = [(check.twin.tensors, check.outputs.tensors) for check in checks]
        self._fetches, pairs = _undisturbed(
            graph, ([site.fetches() for site in self._sites], pairs), fed, own
        )
        fetched = [tensor for tensor in tf.nest.flatten(self._fetches) if tf.is_tensor(tensor)]
        self._random = random_ops(graph, fetched, fed)
        self._checks = [
            replace(
                check,
                twin=replace(check.twin, tensors=twin),
                outputs=replace(check.outputs, tensors=outputs),
            )
            for check, (twin, outputs) in zip(checks, pairs, strict=True)
        ]

    def check(self, session: Any) -> None:
        """Check that the user's tensors belong together, by tensors that must then be equal.

        Args:
            session: a session that runs no hooks.

        Raises:
            LstmProbeError: they do not belong together, or the session cannot compute the probe.
        """
        try:
            self._check(session)
        except tf.errors.FailedPreconditionError as error:
            raise LstmProbeError(
                f"The session cannot compute the probe yet. Received: {_reason(error)}. Expected: "
                "initialized variables. Run tf.compat.v1.global_variables_initializer() first."
            ) from error
        except tf.errors.OpError as error:
            raise LstmProbeError(
                f"TensorFlow cannot compute the probe. Received: {type(error).__name__}: "
                f"{_reason(error)}. Expected: a feed_dict with which session.run(outputs) works."
            ) from error

    def _check(self, session: Any) -> None:
        for check in self._checks:
            pair = [check.twin.tensors, check.outputs.tensors]
            twin, outputs = session.run(pair, self._feeds)
            check_equal(check.twin.arrange(twin), check.outputs.arrange(outputs), check.carried)
        snapshots = self.take(session, step=0).snapshots()
        if self._random:
            again = self.take(session, step=0).snapshots()
            for name, same in zip(self._names, map(_same, snapshots, again), strict=True):
                what = RANDOM.format(ops=", ".join(self._random[:3]))
                if not same and what not in self._remarks[name]:  # a second session asks again
                    self._remarks[name].append(what)
        for snapshot in snapshots:
            analysis = analyse(snapshot)
            check_first_step(snapshot, analysis.parity)
            check_lengths(snapshot, analysis.trace)

    def take(self, session: Any, *, step: int, global_step: Any = None) -> Taken:
        """Read the weights and what TensorFlow computes with them, all in one `session.run`.

        Args:
            session: a session that runs no hooks.
            step: the training step.
            global_step: a tensor with the training step, which is fetched in the same run and takes
                the place of `step`: other workers may have gone on training in between. None if
                there is none.

        Returns:
            The training step, and what was fetched for each cell.
        """
        fetched, steps = session.run(
            [self._fetches, [] if global_step is None else [global_step]], self._feeds
        )
        step, remarks = int(steps[0]) if steps else step, {**told(self._remarks), **self._unshown}
        return Taken(step, self._sites, self._names, fetched, remarks)


@dataclass(frozen=True)
class SessionSource:
    """A session at one moment of a training, which the recorder captures.

    Attributes:
        reader: reads the session.
        session: a session that runs no hooks.
        global_step: the tensor that counts the training steps; None if the user counts them.
        check: whether to check first that the user's tensors belong together.
    """

    reader: SessionReader
    session: Any
    global_step: Any = None
    check: bool = False

    def take(self, step: int) -> Taken:
        """Read the weights and what TensorFlow computes with them.

        Args:
            step: the training step; the global step takes its place where there is one.

        Raises:
            LstmProbeError: the tensors do not belong together, or the session cannot compute the
                probe; only where `check` is set.
        """
        if self.check:
            self.reader.check(self.session)
        return self.reader.take(self.session, step=step, global_step=self.global_step)


def check_session(session: Any, graph: tf.Graph) -> None:
    """Check that a session can be read.

    Args:
        session: the user's session.
        graph: the graph of the outputs.

    Raises:
        LstmProbeError: the session is closed, or runs another graph.
    """
    if getattr(session, "graph", None) is not graph:
        raise LstmProbeError(
            f"The session runs another graph. Received: {session!r}. Expected: a session of the "
            "graph that the outputs are in."
        )
    if getattr(session, "_closed", False):
        raise LstmProbeError(
            "The session is closed. Received: a tf.compat.v1.Session after close(). Expected: an "
            "open one. Call after_step inside its `with` block."
        )


def _sites(cell: Any, run: Run) -> tuple[list[Site], list[Check]]:
    keras = sys.modules.get("keras")  # a layer of Keras has imported it already
    if keras is None or not isinstance(cell, keras.layers.Layer):
        return sites_of(cell, run)
    from lstm_probe.models.session.keras_layers import keras_sites

    return keras_sites(cell, run)


def graph_of(run: Run) -> tf.Graph:
    """The graph of the outputs.

    Args:
        run: how the user ran the cell.

    Raises:
        LstmProbeError: the outputs are not tensors of a graph.
    """
    tensors = tf.nest.flatten(run.outputs)
    if not tensors or not all(isinstance(t, tf.Tensor) and hasattr(t, "op") for t in tensors):
        raise LstmProbeError(
            f"The outputs are not tensors of a graph. Received: {run.outputs!r}. Expected: what "
            "dynamic_rnn, static_rnn or a layer gave inside a tf.Graph."
        )
    graph: tf.Graph = tensors[0].graph
    return graph


def _without_side_effects(run: Run, fed: Sequence[Any]) -> Run:
    """The same run, with copies of the tensors whose reading would disturb the training."""
    fields = ("inputs", "outputs", "sequence_length", "initial_state")
    structure = {name: getattr(run, name) for name in fields}
    graph = graph_of(run)
    with graph.as_default():
        tensors = tf.nest.map_structure(
            lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), structure
        )
    return replace(run, **_undisturbed(graph, tensors, fed))


def _undisturbed(
    graph: tf.Graph, structure: Any, fed: Sequence[Any], own: Container[str] = ()
) -> Any:
    """`undisturbed` of all tensors in a nested structure."""
    flat = tf.nest.flatten(structure)
    safe = iter(undisturbed(graph, [t for t in flat if tf.is_tensor(t)], fed, own))
    return tf.nest.pack_sequence_as(structure, [next(safe) if tf.is_tensor(t) else t for t in flat])


def _same(first: Snapshot, again: Snapshot) -> bool:
    """Whether a cell read the same at both times."""
    states = zip(first.initial_state or (), again.initial_state or (), strict=True)
    pairs = [(first.x, again.x), *states]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _noise(run: Run, fed: Sequence[Any]) -> list[str]:
    """The names of the tensors of a run that dropout or noise has made, outside of the cells."""
    fed_names = {tensor.name for tensor in fed}
    inputs = [run.inputs, run.initial_state]
    tensors = [each for each in tf.nest.flatten(inputs) if tf.is_tensor(each)]
    return sorted(silenced(ancestors(tensors, fed_names), fed_names))


def _told_of_dropout(site: Site, noisy: Sequence[str]) -> list[str]:
    """What of the training's dropout is off for the probe."""
    what = [f"the dropout of {site.silenced}"] if site.silenced else []
    what += [name.split(":")[0] for name in noisy[:3]]
    return [DROPOUT_IS_OFF.format(what=", ".join(what))] if what else []


def _unique(names: Sequence[str]) -> list[str]:
    """Different names for cells that share their variables: `rnn/cell`, `rnn/cell/call_2`."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}/call_{seen[name]}")
    return result


def _reason(error: tf.errors.OpError) -> str:
    """The reason of an error, without the stack traces that a session adds."""
    lines = [line for line in str(error.message).splitlines() if line.strip()]
    after_node = [line for node, line in pairwise(lines) if "Node: " in node]
    return (after_node or lines or ["no message"])[0]
