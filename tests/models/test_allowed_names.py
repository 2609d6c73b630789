"""What a new version of Keras brings is refused until somebody has looked at it."""

from __future__ import annotations

import inspect
import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
import tf_keras

from lstm_probe.models.files import allowed_classes as names
from lstm_probe.models.files.allowed_operators import (
    OPERATIONS,
    OPERATIONS_REFUSED,
    TENSORFLOW_FUNCTIONS,
    is_tensorflow,
)
from lstm_probe.models.files.keras_config import _OPERATORS, check_config

PACKAGES = [keras, tf_keras]
#: Functions of the modules that are no objects of a model.
_TOOLS = {"get", "serialize", "deserialize"}
_ABSTRACT = {
    "Constraint", "Initializer", "LearningRateSchedule", "Loss", "Metric", "Optimizer",
    "Quantizer", "Reduction", "Regularizer", "constraint", "initializer", "quantizer",
    "quantization_config", "regularizer",
}  # fmt: skip
_LISTS = {
    "activations": names.ACTIVATIONS,
    "constraints": names.CONSTRAINTS,
    "dtype_policies": names.DTYPE_POLICIES,
    "initializers": names.INITIALIZERS,
    "losses": names.LOSSES,
    "metrics": names.METRICS,
    "optimizers": names.OPTIMIZERS,
    "optimizers.schedules": names.OPTIMIZERS,
    "regularizers": names.REGULARIZERS,
}


def public(package: Any, place: str) -> set[str]:
    module = package
    for part in place.split("."):
        module = getattr(module, part, None)
    found = {name for name in dir(module) if not name.startswith("_")}
    return {name for name in found if not inspect.ismodule(getattr(module, name))}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("place", _LISTS)
def test_every_name_has_been_looked_at(package, place):
    assert public(package, place) - _TOOLS - _ABSTRACT <= _LISTS[place]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.__name__)
def test_every_layer_has_been_looked_at(package):
    layers = {name for name in public(package, "layers") if name[0].isupper()}
    assert len(layers) > 100
    assert layers <= names.LAYERS | names.REFUSED.keys()
    assert not names.LAYERS & names.REFUSED.keys()
    # Older files have the name of the class, which need not be the public one.
    kinds = {getattr(package.layers, name).__name__ for name in layers - names.REFUSED.keys()}
    assert kinds <= names.LAYERS


def test_every_class_that_keras_2_makes_of_a_configuration_has_been_looked_at():
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    found = {
        name
        for name, each in serialization.LOCAL.ALL_OBJECTS.items()
        if inspect.isclass(each) and issubclass(each, tf_keras.layers.Layer)
    }
    assert len(found) > 100
    known = names.LAYERS | names.MODELS | names.REFUSED.keys()
    assert found <= known | _OPERATORS.keys()  # which name a function


def test_every_operator_of_keras_3_has_been_looked_at():
    from keras.src import ops
    from keras.src.ops.operation import Operation

    found = set()
    for each in pkgutil.iter_modules(ops.__path__):
        if not each.name.endswith("_test"):
            module = import_module(f"keras.src.ops.{each.name}")
            found |= {
                name
                for name, kind in vars(module).items()
                if inspect.isclass(kind) and issubclass(kind, Operation)
            }
    assert len(found) >= 292  # those of Keras 3.12, the oldest that is supported
    assert found <= OPERATIONS | OPERATIONS_REFUSED | names.LAYERS
    assert not OPERATIONS & OPERATIONS_REFUSED


def test_every_function_is_one_of_tensorflow():
    """A name that is not there would stand for whatever a later version calls so."""
    from tensorflow.python.util.tf_export import get_symbol_from_name

    for place, functions in TENSORFLOW_FUNCTIONS.items():
        for function in functions:
            name = f"{place}.{function}".lstrip(".")
            assert is_tensorflow(name)
            assert callable(get_symbol_from_name(name)), name
            assert not inspect.isclass(get_symbol_from_name(name)), name


@pytest.mark.parametrize(
    "place", ["io", "debugging", "summary", "raw_ops", "train", "saved_model", "data", "queue"]
)
def test_no_function_of_a_place_that_does_more_is_known(place):
    module = tf
    for part in place.split("."):
        module = getattr(module, part)
    assert not any(is_tensorflow(f"{place}.{name}") for name in dir(module))


def test_no_function_of_the_list_takes_a_function():
    """A file could hand it one by name."""
    suspicious = {"fn", "func", "function", "cond", "body", "true_fn", "callback", "filename"}
    suspicious |= {"path", "initializer", "file", "library_filename", "output_stream"}
    for place, functions in TENSORFLOW_FUNCTIONS.items():
        module: Any = tf
        for part in [part for part in place.split(".") if part]:
            module = getattr(module, part, None)
        for name in functions:
            function = getattr(module, name, None)
            if function is None:  # an operator, which has no public name
                continue
            arguments = set(inspect.signature(function).parameters)
            taken = arguments & suspicious
            assert not taken or name in ("pool", "convolution"), (place, name, taken)


def instances(package: Any) -> dict[str, Any]:
    """Every layer that can be made with few arguments, of one Keras."""
    made = {}
    arguments = [{}, {"units": 3}, {"filters": 2, "kernel_size": 3}, {"rate": 0.5}]
    arguments += [{"input_dim": 3, "output_dim": 2}, {"n": 2}, {"factor": 0.2}, {"axes": 1}]
    arguments += [{"kernel_size": 3}, {"stddev": 0.1}, {"scale": 0.1}, {"output_size": 2}]
    arguments += [{"num_heads": 2, "key_dim": 2}, {"height": 3, "width": 3}, {"num_bins": 3}]
    arguments += [{"height_factor": 0.1, "width_factor": 0.1}, {"target_shape": (3,)}]
    arguments += [{"equation": "ab,bc->ac", "output_shape": 3}, {"dims": (1,)}]
    arguments += [{"max_number": 3}, {"vocabulary": ["a", "b"]}, {"vocabulary": [1, 2]}]
    arguments += [{"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1}]
    arguments += [{"activation": "relu"}, {"num_tokens": 3}, {"factor": 0.1, "value_range": (0, 1)}]
    for name in sorted(names.LAYERS):
        kind = getattr(package.layers, name, None)
        for each in arguments if inspect.isclass(kind) else []:
            try:
                made[name] = kind(**each)
                break
            except Exception:
                continue
    return made


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.__name__)
@pytest.mark.filterwarnings("ignore")
def test_what_layers_write_of_themselves_is_known(package):
    made = instances(package)
    assert len(made) > 85, sorted(names.LAYERS - made.keys())
    for name, layer in made.items():
        if package is keras:
            described = keras.saving.serialize_keras_object(layer)
        else:
            described = tf_keras.layers.serialize(layer)
        model = {"class_name": "Sequential", "config": {"layers": [described]}}
        plain = json.loads(json.dumps(model, default=str))
        check_config(Path(name), plain, size=10**6)


def test_quantised_and_adapted_layers_are_known():
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.Dense(8, name="adapted"),
            keras.layers.LSTM(4, dtype=keras.DTypePolicy("mixed_bfloat16")),
            keras.layers.Dense(8, name="quantised"),
            keras.layers.Dense(2, activation=keras.layers.LeakyReLU()),
        ]
    )
    model.get_layer("adapted").enable_lora(2)
    model.get_layer("quantised").quantize("int8")
    check_config(Path("model"), json.loads(model.to_json()), size=10**6)


def test_a_ragged_input_is_known():
    x = tf_keras.Input((None, 3), ragged=True)
    y = tf_keras.layers.LSTM(4)(x)
    model = tf_keras.Model(x, y)
    check_config(Path("model"), json.loads(model.to_json()), size=10**6)
    spec = tf.RaggedTensorSpec([None, None, 3], tf.float32)
    described = tf_keras.saving.serialize_keras_object(spec)
    layer = {"class_name": "InputLayer", "config": {"type_spec": described}}
    model_of = {"class_name": "Sequential", "config": {"layers": [layer]}}
    check_config(Path("model"), json.loads(json.dumps(model_of, default=str)), size=10**6)
