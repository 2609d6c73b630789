"""The first element of a `tf.data.Dataset`, taken so that the dataset does not notice."""

from __future__ import annotations

import re
from typing import Any, Final

import tensorflow as tf

from lstm_probe.core.errors import LstmProbeError

__all__ = ["first_element"]

#: Ops that run the user's Python, write to a file, or change what other iterators read.
_CHANGES: Final = re.compile(
    "(Eager)?PyFunc(Stateless)?|GeneratorDataset|.*Assign.*|Resource(Scatter|Apply).*|.*Queue.*"
    "|.*IteratorGetNext.*|Rng(Skip|ReadAndSkip)|Stateful(Uniform|StandardNormal|TruncatedNormal).*"
    "|LookupTable(Insert|Remove)V2|.*(Snapshot|SaveDataset).*|DataServiceDataset.*"
)
#: What iterators of one dataset share, and the op that stands for one that nobody shares.
_OWN: Final = {
    "SeedGenerator": "DummySeedGenerator",
    "MemoryCache": "DummyMemoryCache",
}


def first_element(dataset: Any) -> Any:
    """The first element of a dataset, as a fresh iterator would give it.

    Iterating over a dataset may change what the next iterator gives: `shuffle` draws another order
    each time. So a copy of the dataset is made, which shares nothing with it, and the copy is
    iterated over.

    Raises:
        LstmProbeError: the dataset cannot be copied, or iterating over it changes other things.
    """
    try:
        policy = tf.data.experimental.ExternalStatePolicy.IGNORE
        graph = tf.compat.v1.GraphDef.FromString(
            dataset._as_serialized_graph(external_state_policy=policy).numpy()
        )
    except Exception as error:
        raise _refusal(f"{type(error).__name__}: {error}") from error
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    changing = sorted({node.op for node in nodes if _CHANGES.fullmatch(node.op)})
    if changing or _writes_files(graph):
        raise _refusal(", ".join(changing[:3]) or "a cache in a file")
    _give_own(graph)
    copy = tf.data.experimental.from_variant(
        tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString()), dataset.element_spec
    )
    for element in copy:
        return element
    raise LstmProbeError(
        "The probe is empty. Received: a tf.data.Dataset without elements. Expected: at least one "
        "batch."
    )


def _give_own(graph: Any) -> None:
    """Let a copied dataset draw its own seeds, and fill its own cache."""
    for node in graph.node:
        handles = node.attr["value"].tensor.resource_handle_val if node.op == "Const" else ()
        for shared, own in _OWN.items():
            if any(shared in handle.name or shared in handle.maybe_type_name for handle in handles):
                node.op = own
                node.ClearField("attr")
                break


def _writes_files(graph: Any) -> bool:
    constants = {node.name: node for node in graph.node if node.op == "Const"}
    for node in graph.node:
        if node.op.startswith("CacheDataset"):
            name = constants.get(node.input[1].partition(":")[0])
            if name is None or tf.make_ndarray(name.attr["value"].tensor).item():
                return True
    return False


def _refusal(received: str) -> LstmProbeError:
    return LstmProbeError(
        "Taking a batch out of this tf.data.Dataset may change the training. Received: a dataset "
        f"with {received}. Expected: a batch that you take yourself, probe=next(iter(dataset))[0] "
        "(without [0] where the dataset gives inputs alone), or an array such as x_train[:1]."
    )
