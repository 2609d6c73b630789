"""What a model's `call` takes, and how a probe becomes its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Model
from lstm_probe.models.probe import Probe

__all__ = ["has_call", "probe_arguments", "required_arguments"]

#: Arguments that Keras itself gives a layer.
_KERAS_GIVES = ("training", "mask")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def has_call(model: Model) -> bool:
    """Whether the model has a `call`, and is not only a container of layers."""
    call = getattr(type(model), "call", None)
    package = str(getattr(call, "__module__", "")).partition(".")[0]
    inherited = getattr(call, "__qualname__", "") in ("Layer.call", "Model.call", "Operation.call")
    return "call" in vars(model) or not (inherited and package in ("keras", "tf_keras"))


def required_arguments(model: Model) -> list[str]:
    """The names of the arguments that a call needs beside the first and those that Keras gives."""
    return [
        each.name
        for each in _parameters(model)[1:]
        if each.default is each.empty and each.name not in _KERAS_GIVES
    ]


def probe_arguments(model: Model, probe: Probe) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the model's call that a probe stands for: by position, and by name.

    A model whose call needs several arguments takes them from a dictionary by their names, or from
    a list in their order. For any other model the probe is the first argument.

    Args:
        model: the model.
        probe: as `as_probe` returns it, or tensors in its structure.

    Raises:
        LstmProbeError: the call needs arguments that the probe does not hold.
    """
    if not has_call(model):
        return (probe,), {}
    parameters = _parameters(model)
    needed, known = required_arguments(model), [each.name for each in parameters]
    missing = {
        each.name: None
        for each in parameters[1:]
        if each.default is each.empty and each.name == "mask"
    }
    if isinstance(probe, Mapping) and len(known) > 1 and set(probe) <= set(known):
        given = {**missing, **probe}
        if {known[0], *needed} <= set(probe):
            return (given.pop(known[0]),), given
    positional = [each.name for each in parameters if each.name not in _KERAS_GIVES]
    if needed and isinstance(probe, list) and len(needed) < len(probe) <= len(positional):
        return (probe[0],), {**missing, **dict(zip(positional[1:], probe[1:], strict=False))}
    if needed:
        names = ", ".join(f'"{each}": ...' for each in [known[0], *needed])
        raise LstmProbeError(
            f"The call of model {model.name!r} needs more than the probe gives. Received: "
            f"{_shown(probe)}. Expected: values for {', '.join(map(repr, [known[0], *needed]))}: "
            f"probe={{{names}}}; or the way to call it, forward=lambda model, probe: "
            f"model(probe, {', '.join(f'{each}=...' for each in needed)})."
        )
    return (probe,), missing


def _parameters(model: Model) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(model.call).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each for each in parameters if each.kind in _NAMED]


def _shown(probe: Probe) -> str:
    if isinstance(probe, Mapping):
        return f"arrays by the names {', '.join(map(repr, probe))}"
    return f"{len(probe)} arrays" if isinstance(probe, list) else "one array"
