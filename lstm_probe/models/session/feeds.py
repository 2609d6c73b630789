"""The feed_dict of a probe: checked against the graph before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.probe import as_probe, given_probe
from lstm_probe.models.probe_data import ProbeData, data_of_arrays

__all__ = ["JoinedFeeds", "checked_feeds", "data_of_feeds", "joined_feeds"]


@dataclass(frozen=True)
class JoinedFeeds:
    """A feed_dict in which named probes have become one batch.

    Attributes:
        feeds: as `session.run` takes it.
        targets: those of the probes; None if they have none.
        groups: how many sequences each probe has; None if there are no named ones.
    """

    feeds: Mapping[Any, Any]
    targets: Any = None
    groups: Groups | None = None


def joined_feeds(feed_dict: Mapping[Any, Any], *, time_major: bool) -> JoinedFeeds:
    """Make one batch of the `Probes` in a feed_dict.

    Args:
        feed_dict: by tensor or name; values are arrays, or `Probes` of the same names.
        time_major: whether sequences are fed as `(time, batch, ...)`.

    Raises:
        LstmProbeError: the `Probes` have other names or numbers of sequences, or several have
            targets.
    """
    feeds, found, targets = dict[Any, Any](), dict[Any, Groups](), None
    for key, value in feed_dict.items() if isinstance(feed_dict, Mapping) else ():
        if not isinstance(value, Probes):
            feeds[key] = value
            continue
        given = given_probe(_batch_first(value) if time_major else value)
        if given.targets is not None and targets is not None:
            raise LstmProbeError(
                f"There are two sources of targets. Received: {key!r} and another "
                "that is fed, both with targets. Expected: (inputs, targets) for one of them."
            )
        targets = given.targets if targets is None else targets
        inputs, found[key] = given.inputs, given.groups or ()
        is_sequence = time_major and inputs.ndim > 1
        feeds[key] = inputs.swapaxes(0, 1) if is_sequence else inputs
    if len(set(found.values())) > 1:
        said = "; ".join(f"{key!r}: {groups}" for key, groups in found.items())
        raise LstmProbeError(
            f"The named probes do not fit together. Received: {said}. Expected: the same names, "
            "with as many sequences, for everything that is fed by sequence."
        )
    if not found:
        return JoinedFeeds(feed_dict)
    return JoinedFeeds(feeds, targets, next(iter(found.values())))


def _batch_first(probes: Probes) -> Probes:
    """Probes that are fed as `(time, batch, ...)`, with the batch first."""

    def swapped(probe: Any) -> Any:
        inputs, targets = probe if isinstance(probe, tuple) and len(probe) == 2 else (probe, None)
        array = np.asarray(inputs)
        return (array.swapaxes(0, 1) if array.ndim > 1 else array), targets

    return Probes({name: swapped(each) for name, each in probes.items()})


def checked_feeds(graph: tf.Graph, feed_dict: Mapping[Any, Any]) -> dict[Any, Array]:
    """Copy the values of a feed_dict, in the dtypes of the tensors that they feed.

    Args:
        graph: the user's graph.
        feed_dict: by tensor, or by the tensor's name, as `session.run` takes it.

    Returns:
        The copies, by tensor.

    Raises:
        LstmProbeError: a key is no tensor of the graph, or a value does not fit its tensor.
    """
    if not isinstance(feed_dict, Mapping) or not feed_dict:
        raise LstmProbeError(
            f"The feed_dict holds no probe. Received: {feed_dict!r}. Expected: a dict with the "
            "probe, such as {x: x_test[:1]}, and whatever else the outputs depend on."
        )
    return dict(_checked(graph, key, value) for key, value in feed_dict.items())


def data_of_feeds(
    feeds: Mapping[Any, Array],
    targets: Any,
    *,
    time_major: bool,
    groups: Groups | None = None,
) -> ProbeData:
    """What a log keeps of a probe that is fed to a graph, by the names of the tensors.

    Args:
        feeds: as `checked_feeds` returns them. What is no batch, such as a keep probability, is
            left out.
        targets: as `as_targets` takes them; None for none.
        time_major: whether sequences are fed as `(time, batch, ...)`.
        groups: of named probes.

    Raises:
        LstmProbeError: the targets do not fit the probe.
    """
    batches = {tensor.op.name: array for tensor, array in feeds.items() if array.ndim}
    if time_major:
        batches = {k: v.swapaxes(0, 1) if v.ndim > 1 else v for k, v in batches.items()}
    return data_of_arrays(batches, targets, groups)


def _checked(graph: tf.Graph, key: Any, value: Any) -> tuple[Any, Array]:
    try:
        tensor = graph.as_graph_element(key, allow_operation=False)
    except (KeyError, TypeError, ValueError) as error:
        raise LstmProbeError(
            f"The feed_dict feeds what the graph does not have. Received: {key!r} ({error}). "
            "Expected: tensors of the graph of the outputs."
        ) from error
    array = as_probe({tensor.name: value})[tensor.name]
    if not tensor.shape.is_compatible_with(array.shape):
        raise LstmProbeError(
            f"The probe does not fit what it is fed to. Received: shape {array.shape} for "
            f"{tensor.name!r}. Expected: {tensor.shape}. A slice such as x_test[:1] keeps the "
            "batch axis; a fixed batch size needs as many sequences."
        )
    return tensor, _cast(tensor, array)


def _cast(tensor: Any, array: Array) -> Array:
    """The array in the dtype of the tensor; refused if fractions would be lost."""
    wanted = tensor.dtype.as_numpy_dtype
    loses = array.dtype.kind == "f" and np.dtype(wanted).kind in "iub"
    if loses and (array != np.round(array)).any():
        raise LstmProbeError(
            f"The probe does not fit what it is fed to. Received: {array.dtype} with fractions "
            f"for {tensor.name!r}. Expected: whole numbers ({tensor.dtype.name})."
        )
    try:
        return array.astype(wanted)
    except (TypeError, ValueError) as error:
        raise LstmProbeError(
            f"The probe does not fit what it is fed to. Received: {array.dtype} for "
            f"{tensor.name!r} ({error}). Expected: {tensor.dtype.name}."
        ) from error
