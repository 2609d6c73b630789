from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import keras_models
import numpy as np
import pytest
from keras import layers

from lstm_probe import LstmCell, LstmProbeError, analyse, capture
from lstm_probe.models.keras.reader import KerasReader, StepReader


# JAX says that it has no float64.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64:UserWarning")
@pytest.mark.parametrize("name", keras_models.MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parity_holds_when_layers_are_found_anywhere(
    name: str, dtype: str, rng: np.random.Generator
) -> None:
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model, probe, names = keras_models.MODELS[name](rng)
        keras_models.randomise(model, rng)
        before = [v.numpy().copy() for v in model.variables]
        snapshots = capture(model, probe)
    finally:
        keras.config.set_dtype_policy(default)
    assert sorted(snapshots) == sorted(names)
    if keras.backend.backend() != "tensorflow":
        dtype = "float32"  # in which Keras multiplies float64 there
    for snapshot in snapshots.values():
        parity = analyse(snapshot).parity
        assert snapshot.dtype == dtype
        assert parity.float64.max_abs < (1e-5 if dtype == "float32" else 1e-13)
        assert parity.same_dtype.max_abs < (1e-5 if dtype == "float32" else 1e-13)
        assert np.abs(snapshot.output).max() > 0.01
    for variable, value in zip(model.variables, before, strict=True):
        assert (variable.numpy() == value).all(), variable.path


def test_the_layers_own_output_is_read_when_the_model_is_run_by_keras(
    rng: np.random.Generator,
) -> None:
    model, probe, _ = keras_models.MODELS["first_layer"](rng)
    keras_models.randomise(model, rng)
    snapshot = capture(model, probe)["memory"]
    np.testing.assert_allclose(snapshot.final_output, model.predict(probe, verbose=0), atol=1e-6)
    assert (snapshot.x == probe.astype(np.float32)).all()


def test_the_mask_and_state_are_those_of_the_layer(rng: np.random.Generator) -> None:
    model, tokens, _ = keras_models.MODELS["behind_embedding"](rng)
    snapshots = capture(model, tokens)
    for snapshot in snapshots.values():
        assert snapshot.mask is not None
        assert (snapshot.mask == (tokens != 0)).all()
    model, probe, _ = keras_models.MODELS["stateful"](rng)
    states = [state.numpy().copy() for state in model.layers[-1].states]
    given = capture(model, probe)["lstm"].initial_state
    assert given is not None
    for received, before, after in zip(given, states, model.layers[-1].states, strict=True):
        assert (received == before).all()
        assert (after.numpy() == before).all()


def test_nothing_is_left_on_the_layers_when_reading_fails(rng: np.random.Generator) -> None:
    model, _, _ = keras_models.MODELS["nested"](rng)
    with pytest.raises(LstmProbeError):
        capture(model, rng.normal(size=(1, 5, 99)))
    for layer in model._flatten_layers():
        assert "call" not in vars(layer)


MUTANTS = {
    "input and forget gate swapped": lambda w: w[:, [1, 0, 2, 3]],
    "candidate and output gate swapped": lambda w: w[:, [0, 1, 3, 2]],
    "input and output gate swapped": lambda w: w[:, [3, 1, 2, 0]],
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_alarm_when_gates_are_swapped(mutant: str, rng: np.random.Generator) -> None:
    model, probe, names = keras_models.MODELS["first_layer"](rng)
    snapshot = capture(keras_models.randomise(model, rng), probe)[names[0]]
    w = snapshot.weights
    swap = MUTANTS[mutant]
    assert w.bias is not None
    wrong = replace(
        w,
        kernel=swap(w.kernel),
        recurrent_kernel=swap(w.recurrent_kernel),
        bias=swap(w.bias[None])[0],
    )
    parity = analyse(replace(snapshot, weights=wrong)).parity
    assert parity.float64.max_abs > 100 * parity.tolerance
    assert not parity.within_tolerance


def test_alarm_when_the_bias_is_missing_or_the_slope_is_another(rng: np.random.Generator) -> None:
    model, probe, _ = keras_models.MODELS["unusual_activations"](rng)
    snapshot = capture(keras_models.randomise(model, rng), probe)["a"]
    assert analyse(snapshot).parity.within_tolerance
    keras2 = LstmCell("softsign", "hard_sigmoid_keras2")
    mutants = [
        replace(snapshot, weights=replace(snapshot.weights, bias=None)),
        replace(snapshot, cell=keras2),
        replace(snapshot, cell=LstmCell("tanh", "hard_sigmoid")),
        replace(snapshot, cell=LstmCell("softsign", "hard_sigmoid", forget_bias=1.0)),
        replace(snapshot, reverse=True),
        replace(snapshot, mask=np.arange(6)[None] % np.array([[3], [2]]) > 0),
        replace(snapshot, initial_state=(np.full((2, 4), 0.1), np.full((2, 4), 0.1))),
    ]
    for mutant in mutants:
        assert analyse(mutant).parity.float64.max_abs > 100 * analyse(mutant).parity.tolerance


def test_the_layers_asked_for_are_read_by_path_or_name(rng: np.random.Generator) -> None:
    model, probe, names = keras_models.MODELS["bidirectional"](rng)
    assert list(capture(model, probe, layers=["forward_lstm"])) == names[:1]
    assert list(capture(model, probe, layers=["both/backward_lstm"])) == names[1:]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 4), r"shape \(5, 4\).*\(any, 9, 4\).*keeps the batch axis"),
        ((1, 9, 5), r"shape \(1, 9, 5\).*\(any, 9, 4\)"),
        ((1, 8, 4), r"shape \(1, 8, 4\).*\(any, 9, 4\)"),
        ((1, 9, 4, 1), r"shape \(1, 9, 4, 1\)"),
    ],
)
def test_a_probe_of_another_shape_is_refused(
    shape: tuple[int, ...], message: str, rng: np.random.Generator
) -> None:
    model, _, _ = keras_models.MODELS["first_layer"](rng)
    with pytest.raises(LstmProbeError, match=message):
        capture(model, rng.normal(size=shape))


def test_errors_name_what_there_is_when_something_does_not_fit(rng: np.random.Generator) -> None:
    model, probe, _ = keras_models.MODELS["bidirectional"](rng)
    with pytest.raises(LstmProbeError, match=r"'lstm_9'.*'both/\w+', 'both/\w+'"):
        capture(model, probe, layers=["lstm_9"])
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(LstmProbeError, match=r"no recurrent layer.*Dense.*keras.layers.LSTM"):
        capture(dense, np.ones((1, 3)))
    model, tokens, _ = keras_models.MODELS["behind_embedding"](rng)
    with pytest.raises(LstmProbeError, match=r"with fractions.*int32"):
        capture(model, tokens + 0.5)
    model, probe, _ = keras_models.MODELS["called_twice"](rng)
    with pytest.raises(LstmProbeError, match=r"Received: 1 arrays. Expected: 2"):
        capture(model, probe[0])
    model, probe, _ = keras_models.MODELS["subclassed"](rng)
    with pytest.raises(LstmProbeError, match=r"does not take the probe.*\(2, 6, 3\)"):
        capture(model, np.ones((2, 6, 3), "int32"))


def test_both_layers_are_read_when_nested_models_have_layers_of_one_name(
    rng: np.random.Generator,
) -> None:
    """Keras 3 gives both layers the path `lstm`."""

    def inner() -> keras.Model:
        inputs = keras.Input((5, 3))
        return keras.Model(inputs, layers.LSTM(3, return_sequences=True, name="lstm")(inputs))

    inputs = keras.Input((5, 3))
    model = keras_models.randomise(keras.Model(inputs, inner()(inner()(inputs))), rng)
    snapshots = capture(model, rng.normal(size=(2, 5, 3)))
    assert list(snapshots) == ["lstm", "lstm_2"]
    assert (snapshots["lstm"].output == snapshots["lstm_2"].x).all()


@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"zero_output_for_mask": True}])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_layer_that_is_run_once_shows_what_it_shows_when_run_as_it_is(
    kind: str, options: dict[str, bool], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng.random((3, 7, 4)).astype("float32")
    x[1, 3:] = x[2] = 0
    inputs = keras.Input((7, 4))
    hidden = getattr(keras.layers, kind)(6, **options)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, hidden)
    (once,) = capture(model, x).values()
    monkeypatch.setattr("lstm_probe.models.keras.taps._Tap._ends_in_all_steps", lambda *_: False)
    (as_it_is,) = capture(model, x).values()
    assert (once.output == as_it_is.output).all()
    assert (once.final_output == as_it_is.final_output).all()


def test_weights_are_read_anew(rng: np.random.Generator) -> None:
    model, reader, before = _reader_and_weights_before_they_changed(rng)
    [snapshot] = reader.read(model, step=0)
    assert (snapshot.weights.kernel == 2 * before["lstm_cell/kernel"].reshape(3, 4, 4)).all()
    analysis = analyse(snapshot)
    assert analysis.parity is not None
    assert analysis.parity.float64.max_abs < 1e-6


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow tells what is looked at"
)
def test_only_what_is_looked_at_is_read(rng: np.random.Generator) -> None:
    model, reader, before = _reader_and_weights_before_they_changed(rng)

    def read_anew(needed: set[int]) -> set[str]:
        pairs = zip(before.items(), reader._run(needed)[1], strict=True)
        return {name for (name, old), value in pairs if (np.asarray(value) == 2 * old).all()}

    cell = {name for name in before if "lstm_cell" in name and "seed" not in name}
    dense = {name for name in before if "dense" in name}
    assert (len(cell), len(dense)) == (3, 2)
    assert read_anew(set()) >= cell
    assert not read_anew(set()) & dense
    assert read_anew({id(v) for v in model.variables}) >= cell | dense


def _reader_and_weights_before_they_changed(
    rng: np.random.Generator,
) -> tuple[keras.Model, KerasReader, dict[str, Any]]:
    """All variables have twice these values now, by their paths within the model."""
    lstm, dense = layers.LSTM(4, name="lstm"), layers.Dense(2, name="dense")
    model = keras_models.randomise(keras.Sequential([keras.Input((5, 3)), lstm, dense]), rng)
    reader = KerasReader(model, rng.normal(size=(2, 5, 3)).astype("float32"), None)
    before = {}
    for variable in model.variables:
        name = "/".join(variable.path.split("/")[-2:])
        before[name] = keras.ops.convert_to_numpy(variable)
        variable.assign(2 * before[name])
    return model, reader, before


def test_the_training_step_is_read_of_the_optimizer_that_there_is(rng: np.random.Generator) -> None:
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4), layers.Dense(2)])
    step = StepReader()
    assert step(model) is None
    x, y = rng.normal(size=(8, 5, 3)), rng.normal(size=(8, 2))
    for _ in range(2):
        model.compile("sgd", "mse")
        for count in range(3):
            assert step(model) == count
            model.train_on_batch(x, y)
