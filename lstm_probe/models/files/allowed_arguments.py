"""What may stand for each argument of a class that a file names.

A word can have power: `relu` becomes a function, and the path of a vocabulary is opened. So each
argument that takes words or objects is listed with the ones that it takes. An argument that is not
listed may hold numbers, flags and shapes, which have none.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from lstm_probe.models.files import allowed_classes as names

__all__ = ["COMPILED", "DATA", "NUMBERS", "ROOT", "Allowed", "allowed_for"]


class _Every(Container[str]):
    """Every word, for arguments whose words have no power."""

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str)


_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Allowed:
    """What an argument may hold beside numbers, flags, None, and lists of all that.

    Attributes:
        words: texts.
        classes: objects, by the names of their classes.
        functions: functions that are described as objects, by name.
    """

    words: Container[str] = _NONE
    classes: Container[str] = _NONE
    functions: Container[str] = _NONE


#: What is not listed.
NUMBERS = Allowed()
_WORDS = Allowed(words=_Every())
#: What is data to the framework: connections of layers, and the arguments of their calls.
DATA = _WORDS
_TRAINING = names.LOSSES | names.METRICS
#: How a model inside of another one was compiled.
COMPILED = Allowed(
    words=_Every(),
    classes=names.OPTIMIZERS | _TRAINING | names.DTYPE_POLICIES,
    functions=_TRAINING | names.ACTIVATIONS,
)
#: The model itself.
ROOT = Allowed(classes=names.MODELS)

_LAYERS = Allowed(classes=names.LAYERS | names.MODELS)
_ACTIVATIONS = Allowed(names.ACTIVATIONS | names.LAYERS, names.LAYERS, names.ACTIVATIONS)
_INITIALIZERS = Allowed(names.INITIALIZERS, names.INITIALIZERS)
_REGULARIZERS = Allowed(names.REGULARIZERS, names.REGULARIZERS)
_CONSTRAINTS = Allowed(names.CONSTRAINTS, names.CONSTRAINTS)
_DTYPES = Allowed(_Every(), names.DTYPE_POLICIES)
_QUANTIZERS = Allowed(frozenset({"default"}), names.QUANTIZERS)

#: Choices among a few words, whose layer refuses every other word, and what is only shown.
_CHOICES = """
    aggregation bias_axes border_mode bounding_box_format consume_less data_format dim_ordering
    distribution encoding equation fill_mode interpolation mask_token merge_mode metric_name
    mode name oov_method oov_token output_mode padding pool_mode rng_type scaling score_mode
    side source_name split standardize use_cudnn window
"""
_BY_ENDING = {
    "activation": _ACTIVATIONS,
    "initializer": _INITIALIZERS,
    "regularizer": _REGULARIZERS,
    "constraint": _CONSTRAINTS,
    "dtype": _DTYPES,
    "quantizer": _QUANTIZERS,
    "_init": _INITIALIZERS,
}
_BY_NAME = {
    **dict.fromkeys(("layers", "layer", "backward_layer", "cell", "cells"), _LAYERS),
    **dict.fromkeys(("init", "inner_init"), _INITIALIZERS),
    **dict.fromkeys(("default_policy", "policy_map"), _DTYPES),
    "quantization_config": _QUANTIZERS,
    "seed": Allowed(classes=frozenset({"SeedGenerator"})),
    **dict.fromkeys(_CHOICES.split(), _WORDS),
    # The connections of a functional model, and what says which Keras wrote it.
    **dict.fromkeys(("backend", "input_layers", "keras_version", "output_layers"), DATA),
}


def allowed_for(argument: str) -> Allowed:
    """What an argument may hold.

    Example:
        >>> "relu" in allowed_for("recurrent_activation").words
        True
        >>> "Lambda" in allowed_for("cell").classes, "Zeros" in allowed_for("cell").classes
        (False, False)
        >>> "anything" in allowed_for("units").words
        False
    """
    if argument in _BY_NAME:
        return _BY_NAME[argument]
    ending = next((end for end in _BY_ENDING if argument.endswith(end)), None)
    return NUMBERS if ending is None else _BY_ENDING[ending]
