"""Each activation against Keras's own, in both float types, and where they saturate."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_probe.core.activations import ACTIVATIONS, get_activation, value_range
from lstm_probe.core.errors import LstmProbeError

BOUNDS = {"float64": 1e-14, "float32": 2e-6}  # relative to max(1, |value|)
# TensorFlow rounds constants of these to float32 even where it computes in float64.
TENSORFLOW_IS_INEXACT = {"gelu": 1e-8, "leaky_relu": 2e-8}
# glu halves the last axis and threshold has no defaults: no recurrent layer can have them.
NOT_RECURRENT = {"glu", "threshold"}


@pytest.fixture(scope="module")
def keras_activations():
    import keras

    public = (name for name in dir(keras.activations) if name[0] != "_" and name[0].islower())
    skipped = NOT_RECURRENT | {"get", "serialize", "deserialize"}
    return {name: getattr(keras.activations, name) for name in public if name not in skipped}


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(size=(40, 7)), 6 * rng.normal(size=(40, 7))])


def test_every_keras_activation_is_known_when_asked_by_name(keras_activations):
    assert len(keras_activations) > 20
    assert set(keras_activations) <= set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"hard_sigmoid_keras2"}))
def test_values_are_those_of_keras_when_points_are_random(name, dtype, keras_activations, points):
    import keras

    x = points.astype(dtype)
    theirs = np.asarray(keras.activations.get(name)(x))
    with np.errstate(divide="ignore"):  # as in the cells: sparsemax without support
        ours = get_activation(name)(x)
    error = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))
    assert ours.dtype == np.dtype(dtype)
    assert error.max() <= max(BOUNDS[dtype], TENSORFLOW_IS_INEXACT.get(name, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hard_sigmoid_keras2_is_that_of_tf_keras_when_points_are_random(dtype, points):
    import tensorflow as tf
    import tf_keras

    x = points.astype(dtype)
    theirs = np.asarray(tf_keras.activations.hard_sigmoid(tf.constant(x)))
    np.testing.assert_allclose(
        get_activation("hard_sigmoid_keras2")(x), theirs, rtol=0, atol=BOUNDS[dtype]
    )
    assert np.abs(get_activation("hard_sigmoid")(x) - theirs).max() > 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_stays_finite_and_silent_when_arguments_are_huge(dtype):
    x = np.array([-np.inf, -1e30, -800, 0, 800, 1e30, np.inf, np.nan], dtype)
    with np.errstate(all="raise"):
        values = get_activation("sigmoid")(x)
    np.testing.assert_array_equal(values, [0, 0, 0, 0.5, 1, 1, 1, np.nan])


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_nan_stays_nan_when_it_is_given(name):
    with np.errstate(all="ignore"):  # as in the cells
        assert np.isnan(get_activation(name)(np.array([[np.nan]]))).all()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_values_lie_in_the_stated_range_when_points_are_random(name, points):
    limits = value_range(name)
    with np.errstate(all="ignore"):
        values = get_activation(name)(np.concatenate([points, points - 20, 100 * points]))
    if limits is None:
        assert values.min() < -1 or values.max() > 1  # a range would have been due
    else:
        assert limits[0] <= values.min() < limits[0] + 0.1
        assert limits[1] - 0.1 < values.max() <= limits[1]


def test_a_function_is_returned_as_it_is_when_given_instead_of_a_name():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x

    function = Unhashable()
    assert get_activation(function) is function
    assert value_range(function) is None


def test_the_error_names_the_choices_when_the_name_is_unknown():
    with pytest.raises(LstmProbeError, match=r"Received: 'tahn'. Expected one of .*tanh"):
        get_activation("tahn")
