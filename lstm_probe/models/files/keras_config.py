"""What a Keras file says of its model, checked before a framework sees it.

A configuration is a program in disguise: it names classes and functions, and Keras calls them.
Keras's own `safe_mode` has been got around more than once (CVE-2025-1550, CVE-2025-8747), and does
not cover Keras 2, whose configurations name any function of TensorFlow. So every object, at any
depth, has to be one of those that have been looked at (`allowed_classes`, `allowed_operators`), and
each of its arguments has to be what such an argument takes (`allowed_arguments`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.allowed_arguments import (
    COMPILED,
    DATA,
    ROOT,
    Allowed,
    allowed_for,
)
from lstm_probe.models.files.allowed_classes import OPTIMIZERS, REFUSED
from lstm_probe.models.files.allowed_operators import (
    OPERATIONS,
    RAGGED_METHODS,
    RAGGED_PROPERTIES,
    SLICING,
    is_tensorflow,
)
from lstm_probe.models.files.keras_sizes import check_sizes

__all__ = ["check_config"]

#: Where classes live that a model consists of. What else Keras has opens files and sockets.
_MODULE = re.compile(
    r"(tf_)?keras(\.(src|api))?(\.(activations|applications|constraints|dtype_policies|engine|"
    r"initializers|layers|legacy|losses|metrics|mixed_precision|models|ops|optimizers|quantizers|"
    r"random|regularizers)(\.\w+)*)?"
)
#: What stands for values in a configuration, and is no class.
_VALUES = frozenset(
    {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}
    | {"__tuple__", "TensorShape"}
)
_TYPE_SPECS = frozenset({"RaggedTensorSpec", "SparseTensorSpec", "TensorSpec"})
#: In which modules of TensorFlow they are; the module's name is imported.
_TYPE_SPEC_MODULE = re.compile(
    r"tensorflow\.python\.(framework\.(tensor|tensor_spec|sparse_tensor)|"
    r"ops\.ragged\.ragged_tensor)"
)
#: Layers of Keras 2 that stand for a function of TensorFlow, or for a method or property of a
#: ragged tensor: the argument that names it, and what it may be.
_OPERATORS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "TFOpLambda": ("function", is_tensorflow),
    "SlicingOpLambda": ("function", SLICING.__contains__),
    "InstanceMethod": ("attr_name", RAGGED_METHODS.__contains__),
    "InstanceProperty": ("attr_name", RAGGED_PROPERTIES.__contains__),
}
_VOCABULARY, _PATTERNS = "vocabulary", "policy_map"
#: A layer's path, or what begins with one.
_PATTERN = re.compile(r"[\w/ -]*(\.\*)?")


class _RefusedError(Exception):
    """Says what a configuration must not hold."""


class _Place(NamedTuple):
    """A value of the configuration, and what may stand there."""

    value: Any
    allowed: Allowed
    argument: str
    owner: str


def check_config(
    path: Path,
    config: Any,
    *,
    size: int,
    folder: Path | None = None,
    weights: Path | None = None,
    compiled: bool = False,
) -> None:
    """Refuse a configuration that would run code, open files, or build far more than there is.

    Args:
        path: where it is from, for the message.
        config: as JSON gave it.
        size: how many bytes of weights there are.
        folder: the model's own folder, whose files it may name; None if it is a single file.
        weights: the file of the weights, for the message, if it is another one.
        compiled: Keras will look at how the model was compiled, too.

    Raises:
        LstmProbeError: it names a class or function that is not on the list, gives an argument what
            it does not take, or does not fit its weights.

    Example:
        >>> check_config(Path("model.keras"), {"class_name": "Sequential", "config": {"layers": [
        ...     {"class_name": "LSTM", "module": "keras.layers", "config": {"units": 5}}]}},
        ...     size=1000)
    """
    try:
        config = config if compiled else _without_training(config)
        waiting = [_Place(config, ROOT, "model", "the file")]
        while waiting:
            waiting.extend(_look(waiting.pop(), folder))
    except _RefusedError as refused:
        raise LstmProbeError(
            f"{path} is not loaded: {refused} Expected: what Keras itself computes with. For the "
            "gates from the weights alone: lstm-probe inspect "
            f"{weights or path} --weights-only (in Python weights_only=True). If you know who made "
            "it, --trusted (trusted=True) loads it in full."
        ) from None
    check_sizes(path, config, size)


def _without_training(config: Any) -> Any:
    """How the model was compiled is left out, as it is when it is loaded."""
    if not isinstance(config, dict):
        return config
    return {key: value for key, value in config.items() if key != "compile_config"}


def _look(place: _Place, folder: Path | None) -> Iterator[_Place]:
    """Check one value, and hand out those inside of it."""
    value = place.value
    if place.allowed is ROOT and not isinstance(value, dict):
        raise _RefusedError(f"its configuration describes no model. Received: {_shown(value)}.")
    if isinstance(value, dict):
        if place.argument == _PATTERNS:
            _check_patterns(value)
        if "class_name" in value or "spec_name" in value:
            yield from _look_at_object(value, place)
        else:
            yield from (place._replace(value=each) for each in value.values())
    elif isinstance(value, list):
        if place.argument == _VOCABULARY:  # the words themselves
            place = place._replace(allowed=DATA, argument="words")
        yield from (place._replace(value=each) for each in value)
    elif isinstance(value, str):
        if place.argument == _VOCABULARY:
            _check_file(value, place.owner, folder)
        elif value not in place.allowed.words:
            raise _RefusedError(
                f"it gives {place.argument!r} of {place.owner} a text that is not known there. "
                f"Received: {_shown(value)}."
            )


def _look_at_object(node: dict[str, Any], place: _Place) -> Iterator[_Place]:
    name = node.get("class_name")
    if not isinstance(name, str):
        raise _RefusedError(f"it names a class that is no text. Received: {_shown(name)}.")
    if name in _VALUES:
        data = {key: value for key, value in node.items() if key != "class_name"}
        yield _Place(data, DATA, place.argument, place.owner)
    elif name in ("TypeSpec", "__typespec__"):
        _check_type_spec(node, name)
        yield _Place(node.get("serialized", node.get("config")), DATA, place.argument, name)
    elif name == "function":
        _check_function(node, place)
    else:
        is_operation = _check_class(node, name, place)
        yield from _arguments(node, name.rpartition(">")[2], place, is_operation)


def _check_type_spec(node: Mapping[str, Any], kind: str) -> None:
    if kind == "TypeSpec":  # of Keras 2, by the name under which TensorFlow has registered it
        name = str(node.get("type_spec", "")).removeprefix("tf.")
        known = name in _TYPE_SPECS and not {"spec_name", "module", "registered_name"} & set(node)
    else:
        name, module = str(node.get("spec_name")), node.get("module")
        inside = isinstance(module, str) and _TYPE_SPEC_MODULE.fullmatch(module)
        known = name in _TYPE_SPECS and bool(inside)
        known = known and node.get("registered_name") in (None, name) and "type_spec" not in node
    if not known:
        raise _RefusedError(f"it names a type that is not known. Received: {_shown(name)}.")


def _check_patterns(policies: Mapping[str, Any]) -> None:
    """Keras takes the names of layers in a map of policies for regular expressions, some of which
    never come to an end."""
    for pattern in policies:
        if not _PATTERN.fullmatch(pattern):
            raise _RefusedError(
                f"its policies are for layers whose name is none. Received: {_shown(pattern)}."
            )


def _check_function(node: Mapping[str, Any], place: _Place) -> None:
    name, module, registered = (node.get(k) for k in ("config", "module", "registered_name"))
    # Keras takes one or the other for the name, depending on the module.
    told = isinstance(name, str) and registered in (None, name, "function")
    inside = module in (None, "builtins") or _is_known_module(module)
    if not (told and inside and name in place.allowed.functions):
        raise _RefusedError(
            f"it names a function that is not known there, for {place.argument!r} of "
            f"{place.owner}. Received: {_called(module, name)}."
        )


def _check_class(node: Mapping[str, Any], name: str, place: _Place) -> bool:
    """Refuse a class that is not on the list for its place; tells whether it is an operator."""
    package, _, short = name.rpartition(">")
    module, registered = node.get("module"), node.get("registered_name")
    if short in REFUSED or name == "__lambda__":
        label = node.get("config")
        called = label.get("name", short) if isinstance(label, dict) else short
        reason = REFUSED.get(short, "it is code out of the file")
        raise _RefusedError(f"it has a {short} layer, {_shown(called)!r}, and {reason}.")
    is_layer, is_operation = place.argument == "layers", False
    if is_layer and name in _OPERATORS:
        known = True
    elif _is_operation(module):
        known = is_operation = is_layer and name in OPERATIONS
    else:
        # Optimizers of Keras 2 are registered as if they were somebody's own.
        own = package == "Custom" and short in OPTIMIZERS
        known = (name in place.allowed.classes) or (own and short in place.allowed.classes)
    inside = module is None or _is_known_module(module)
    if not (known and inside and registered in (None, name, short, f"Custom>{short}")):
        registration = "" if registered in (None, name) else f", registered as {_shown(registered)}"
        raise _RefusedError(
            f"it names what is not a class of Keras that is known there, for {place.argument!r} of "
            f"{place.owner}. Received: {_called(module, name)}{registration}."
        )
    return is_operation


def _arguments(
    node: Mapping[str, Any], name: str, place: _Place, is_operation: bool
) -> Iterator[_Place]:
    """What an object is made of: its configuration, and how it was built, called and compiled."""
    for key, value in node.items():
        if key == "compile_config":
            yield _Place(value, COMPILED, key, name)
        elif key not in ("class_name", "config", "module", "registered_name"):
            yield _Place(value, DATA, key, name)
    config = node.get("config")
    if name in _OPERATORS:
        config = _without_function(config, *_OPERATORS[name])
    if not isinstance(config, dict):
        # Keras 2 before 2.2 wrote the layers of a Sequential model as a list.
        yield _Place(config, allowed_for("layers"), "layers", name)
        return
    for key, value in config.items():
        if place.allowed is COMPILED or is_operation:
            yield _Place(value, COMPILED if place.allowed is COMPILED else DATA, key, name)
        else:
            yield _Place(value, allowed_for(key), key, name)


def _without_function(config: Any, argument: str, allowed: Callable[[str], bool]) -> dict[str, Any]:
    function = config.get(argument) if isinstance(config, dict) else config
    if not (isinstance(function, str) and allowed(function)):
        place = "tf." if argument == "function" else ""
        raise _RefusedError(
            "it calls a function of TensorFlow that is not known to only compute. Received: "
            f"{place}{_shown(function)}."
        )
    return {key: value for key, value in config.items() if key != argument}


def _check_file(name: str, owner: str, folder: Path | None) -> None:
    """A vocabulary may be a file of the model's own folder, where SavedModels keep theirs."""
    try:
        path = Path(name)
        # TensorFlow reads URLs as well: what it opens must be what is looked at.
        plain = path.is_absolute() and str(path) == name
        inside = plain and folder is not None and path.resolve().is_relative_to(folder.resolve())
        inside = inside and path.is_file()
    except (OSError, ValueError):  # too long, or a zero byte
        inside = False
    if not inside:
        raise _RefusedError(
            f"its {owner} layer takes its vocabulary from a file that is not the model's own. "
            f"Received: {_shown(name)}."
        )


def _is_known_module(module: Any) -> bool:
    return isinstance(module, str) and _MODULE.fullmatch(module) is not None


def _is_operation(module: Any) -> bool:
    return _is_known_module(module) and ".ops." in f"{module}."


def _called(module: Any, name: Any) -> str:
    return _shown(name) if module is None else f"{_shown(module)}.{_shown(name)}"


def _shown(value: Any) -> str:
    """A value from elsewhere, short and on one line."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    text = ascii(value)[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."
