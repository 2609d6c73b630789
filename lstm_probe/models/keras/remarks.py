"""What a reader of the log should know of a model's layers: what is not shown, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_probe.models.keras.doubt import replaced_methods
from lstm_probe.models.keras.flavour import Layer
from lstm_probe.models.keras.heard import Heard
from lstm_probe.models.keras.passes import Part

__all__ = ["told_of_layer", "told_of_sequences", "unheard"]


def unheard(layers: Mapping[str, Layer], heard: Heard) -> dict[str, str]:
    """Why nothing was heard of layers, by name.

    Args:
        layers: those that should run when the model does.
        heard: what was heard of the model.
    """
    shown = {id(call.layer) for call in heard.calls}
    return {
        name: f"not shown: {_why_unheard(layer, heard)}"
        for name, layer in layers.items()
        if id(layer) not in shown
    }


def _why_unheard(layer: Layer, heard: Heard) -> str:
    if id(layer) in heard.missed:
        return (
            "it runs inside a loop that the framework compiles, where nobody can listen; write the "
            "loop in Python, or with a fixed number of steps"
        )
    if id(layer) in heard.unlike_cells:
        return "its calls do not return an output and new states, as those of cells do"
    return (
        "the model did not run it on the probe, or ran it in a function that had been compiled "
        "before"
    )


def told_of_sequences(parts: Sequence[Part], sequences: Sequence[Part]) -> str:
    """That the calls of a cell are not one sequence; empty if they are."""
    if not parts:
        return "not shown: the loop around its calls did not run on the probe"
    if len(parts) == 1 or (len(sequences) == 1 and sequences[0].steps > 1):
        return ""
    shapes = [(len(each.x), each.steps) for each in sequences]
    shown = ", ".join(f"{time} steps in a batch of {batch}" for batch, time in shapes)
    return (
        f"its {len(parts)} calls do not all go on from the state that a call before returned, and "
        f"are shown as {len(shapes)} traces: {shown}"
    )


def told_of_layer(layer: Layer) -> str:
    """That a subclass of a layer computes something else."""
    name, changed = type(layer).__name__, ", ".join(replaced_methods(layer))
    return (
        f"only h is shown: {name} replaces {changed}, and does not compute what its cell says. "
        "Give the equations to a cell of your own, and register it: lstm_probe.register_cell"
    )
