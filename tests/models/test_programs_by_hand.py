"""Programs in the style of public ones, which call their cells in many ways, each with the probe.

Every program attaches with one line. All of its recurrent parts are shown with a match, or named,
and its weights are bit for bit those of the program without the probe.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from keras import ops
from session_graphs import cells, tf1, wrappers

from lstm_probe.callbacks import ProbeCallback, ProbeHook

# TF1's cells announce their own age when they are made.
pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")

KITS = pytest.mark.parametrize("kit", [keras, tf_keras], ids=lambda kit: str(kit.__name__))
#: Dropout in a loop draws in another order each time where steps run side by side.
IN_ORDER = 1
#: A program trains, with the probe in the directory if it is given one. It returns the weights that
#: it ends with, and its probes.
Program = Callable[..., tuple[list[np.ndarray], list[Any]]]


def checked(program: Program, log_dir: Path, shown: set[str], named: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
    """Run a program without the probe and with it.

    Args:
        program: the program.
        log_dir: where the probe logs.
        shown: the names of the layers that are shown with a match.
        named: the names of what is named with the reason why it is not, or not as a whole.
    """
    without, _ = program(None)
    weights, probes = program(log_dir)
    for a, b in zip(without, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    reports = [probe.report for probe in probes]
    layers = {name: each for report in reports for name, each in report.layers.items()}
    assert {name: each.verdict for name, each in layers.items()} == dict.fromkeys(shown, "match")
    assert {name for report in reports for name in report.remarks} - layers.keys() == named
    assert all(report.failed == 0 for report in reports)
    return probes


def fitted(
    kit: Any, make: Callable[[], Any], x: Any, y: Any, probe: Any, log_dir: Path | None
) -> tuple[list[np.ndarray], list[Any]]:
    kit.utils.set_random_seed(0)
    model = make()
    model.compile("adam", "mse")
    probes = [] if log_dir is None else [ProbeCallback(probe, log_dir, every=2)]
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, shuffle=False, callbacks=probes)
    return model.get_weights(), probes


@KITS
@pytest.mark.long
def test_a_translator_with_bahdanau_attention(
    kit: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    layers = kit.layers

    class Attention(layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w1, self.w2, self.v = layers.Dense(6), layers.Dense(6), layers.Dense(1)

        def call(self, query: Any, values: Any) -> Any:
            score = self.v(ops.tanh(self.w1(query[:, None]) + self.w2(values)))
            return ops.sum(ops.softmax(score, axis=1) * values, axis=1)

    class Translator(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder_words = layers.Embedding(11, 5)
            self.decoder_words = layers.Embedding(9, 5)
            self.encoder = layers.GRU(7, return_sequences=True, return_state=True, name="encoder")
            self.decoder = layers.GRU(7, return_sequences=True, return_state=True, name="decoder")
            self.attention, self.words = Attention(), layers.Dense(9)

        def call(self, inputs: Any) -> Any:
            source, target = inputs
            values, state = self.encoder(self.encoder_words(source))
            logits = []
            for t in range(6):
                context = self.attention(state, values)
                word = self.decoder_words(target[:, t : t + 1])
                read = ops.concatenate([context[:, None], word], axis=-1)
                output, state = self.decoder(read, initial_state=state)
                logits.append(self.words(output[:, 0]))
            return ops.stack(logits, axis=1)

    x = [rng.integers(0, 11, (16, 8)), rng.integers(0, 9, (16, 6))]
    y, probe = rng.normal(size=(16, 6, 9)), [each[:2] for each in x]
    (callback,) = checked(
        lambda log_dir: fitted(kit, Translator, x, y, probe, log_dir),
        tmp_path,
        {"encoder", "decoder"},
    )
    shapes = {name: each.trace.h.shape for name, each in callback.analyses.items()}
    assert shapes == {"encoder": (2, 8, 7), "decoder": (2, 6, 7)}


@KITS
def test_the_autoregressive_forecast_of_the_tutorial(
    kit: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    class FeedBack(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm_cell = kit.layers.LSTMCell(8)
            self.lstm_rnn = kit.layers.RNN(self.lstm_cell, return_state=True, name="lstm_rnn")
            self.dense = kit.layers.Dense(3)

        def warmup(self, inputs: Any) -> Any:
            x, *state = self.lstm_rnn(inputs)
            return self.dense(x), state

        def call(self, inputs: Any, training: Any = None) -> Any:
            prediction, state = self.warmup(inputs)
            predictions = [prediction]
            for _ in range(1, 5):
                x, state = self.lstm_cell(prediction, states=state, training=training)
                prediction = self.dense(x)
                predictions.append(prediction)
            return ops.transpose(ops.stack(predictions), [1, 0, 2])

    x, y = rng.normal(size=(16, 6, 3)).astype("float32"), rng.normal(size=(16, 5, 3))
    cell = "lstm_rnn/lstm_cell" if kit is keras else "lstm_cell"

    def program(log_dir: Path | None) -> Any:
        kit.backend.clear_session()
        return fitted(kit, FeedBack, x, y, x[:2], log_dir)

    (callback,) = checked(program, tmp_path, {"lstm_rnn", cell})
    assert callback.analyses["lstm_rnn"].trace.h.shape == (2, 6, 8)
    assert callback.analyses[cell].trace.h.shape == (2, 4, 8)


@KITS
def test_an_agent_that_steps_a_cell(kit: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    class Agent(kit.Model):  # type: ignore[misc, name-defined]
        """A recurrent Q-network: one step at a time, with the state outside."""

        def __init__(self) -> None:
            super().__init__()
            self.see = kit.layers.Dense(6, activation="relu")
            self.memory = kit.layers.LSTMCell(6, name="memory")
            self.value = kit.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            observation, h, c = inputs
            output, (h, c) = self.memory(self.see(observation), [h, c])
            return self.value(output), h, c

    episodes = rng.normal(size=(4, 6, 3, 4)).astype("float32")
    rewards = rng.normal(size=(4, 6, 3, 2)).astype("float32")
    probe = [episodes[0, 0], np.full((3, 6), 0.2, "float32"), np.full((3, 6), -0.1, "float32")]

    def program(log_dir: Path | None) -> Any:
        kit.utils.set_random_seed(0)
        agent, optimizer = Agent(), kit.optimizers.SGD(0.05)
        agent([tf.constant(each) for each in probe])
        probes = [] if log_dir is None else [ProbeCallback(probe, log_dir, every=1)]
        for each in probes:
            each.step(agent, 0)
        for step, (episode, reward) in enumerate(zip(episodes, rewards, strict=True)):
            with tf.GradientTape() as tape:
                h = c = tf.zeros((3, 6))
                loss = 0.0
                for t in range(6):
                    q, h, c = agent([tf.constant(episode[t]), h, c])
                    loss += tf.reduce_mean((q - reward[t]) ** 2)
            gradients = tape.gradient(loss, agent.trainable_variables)
            optimizer.apply_gradients(zip(gradients, agent.trainable_variables, strict=True))
            for each in probes:
                each.step(agent, step + 1)
        for each in probes:
            each.close()
        return agent.get_weights(), probes

    (callback,) = checked(program, tmp_path, {"memory"})
    snapshot = callback.analyses["memory"].snapshot
    assert snapshot.x.shape == (3, 1, 6)
    np.testing.assert_array_equal(snapshot.initial_state[0], probe[1])
    assert callback.report.captured == 5


@KITS
def test_message_passing_over_a_graph(kit: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    class MessagePassing(kit.Model):  # type: ignore[misc, name-defined]
        """The nodes of all molecules are the batch, and the rounds are the time."""

        def __init__(self) -> None:
            super().__init__()
            self.message = kit.layers.Dense(5)
            self.update_step = kit.layers.GRUCell(5, name="update_step")
            self.read_out = kit.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            nodes, edges = inputs
            size = ops.shape(nodes)[0] * 7
            h = ops.reshape(nodes, (size, 5))
            for _ in range(4):
                messages = ops.matmul(edges, ops.reshape(self.message(h), (-1, 7, 5)))
                h, _ = self.update_step(ops.reshape(messages, (size, 5)), h)
            return self.read_out(ops.sum(ops.reshape(h, (-1, 7, 5)), axis=1))

    nodes = rng.normal(size=(16, 7, 5)).astype("float32")
    edges = (rng.random((16, 7, 7)) < 0.4).astype("float32")
    x, y = [nodes, edges], rng.normal(size=(16, 1))
    (callback,) = checked(
        lambda log_dir: fitted(kit, MessagePassing, x, y, [nodes[:2], edges[:2]], log_dir),
        tmp_path,
        {"update_step"},
    )
    assert callback.analyses["update_step"].trace.h.shape == (14, 4, 5)


@KITS
def test_a_pointer_network(kit: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    layers = kit.layers

    class Pointer(kit.Model):  # type: ignore[misc, name-defined]
        """Its decoder reads what it points to, and masks what it has visited."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.LSTM(6, return_sequences=True, return_state=True, name="encoder")
            self.decoder = layers.LSTMCell(6, name="decoder")
            self.w1, self.w2, self.v = layers.Dense(6), layers.Dense(6), layers.Dense(1)

        def call(self, x: Any) -> Any:
            memory, *states = self.encoder(x)
            read, visited, pointed = ops.zeros_like(x[:, 0]), 0.0, []
            for _ in range(5):
                output, states = self.decoder(read, states)
                score = self.v(ops.tanh(self.w1(memory) + self.w2(output)[:, None]))[..., 0]
                weights = ops.softmax(score - 1e3 * visited)
                visited = visited + weights
                read = ops.sum(weights[..., None] * x, axis=1)
                pointed.append(weights)
            return ops.stack(pointed, axis=1)

    x = rng.normal(size=(16, 5, 2)).astype("float32")
    y = rng.random((16, 5, 5))
    (callback,) = checked(
        lambda log_dir: fitted(kit, Pointer, x, y, x[:2], log_dir),
        tmp_path,
        {"encoder", "decoder"},
    )
    assert callback.analyses["decoder"].trace.h.shape == (2, 5, 6)


def trained(
    build: Callable[[], tuple[Any, Any, Any, dict[str, Any]]], log_dir: Path | None
) -> tuple[list[np.ndarray], list[Any]]:
    """Train a graph of TF1 for a few steps.

    Args:
        build: gives the loss, what is fed in training, what the probe feeds, and the arguments of
            each hook by its name.
        log_dir: where the hooks log; None for none.
    """
    single = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    tf_keras.utils.set_random_seed(3)
    with tf.Graph().as_default():
        tf1.set_random_seed(3)
        loss, fed, probe, runs = build()
        step = tf1.train.get_or_create_global_step()
        train = tf1.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
        hooks = [
            ProbeHook(feed_dict=probe, log_dir=log_dir / name, every=2, **run)
            for name, run in (runs.items() if log_dir is not None else ())
        ]
        with tf1.train.MonitoredTrainingSession(
            hooks=hooks, config=single, log_step_count_steps=None
        ) as session:
            for _ in range(5):
                session.run(train, fed)
            weights = session.run(tf1.trainable_variables())
    return weights, hooks


def dense(x: Any, units: int, name: str) -> Any:
    kernel = tf1.get_variable(f"{name}/kernel", [x.shape[-1], units])
    return tf.tensordot(x, kernel, 1)


def test_a_char_rnn_of_tf1(tmp_path: Path, rng: np.random.Generator) -> None:
    text, batch = rng.integers(0, 20, (3, 9)), 3

    def build() -> Any:
        x, y = tf1.placeholder(tf.int32, [batch, 8]), tf1.placeholder(tf.int32, [batch, 8])
        embedding = tf1.get_variable("embedding", [20, 6])
        inputs = tf.nn.dropout(tf.nn.embedding_lookup(embedding, x), rate=0.3)
        stack = cells.MultiRNNCell(
            [
                wrappers.DropoutWrapper(
                    cells.BasicLSTMCell(6), input_keep_prob=0.8, output_keep_prob=0.7
                )
                for _ in range(2)
            ]
        )
        state = stack.zero_state(batch, tf.float32)
        outputs, _ = tf1.nn.dynamic_rnn(
            stack, inputs, initial_state=state, parallel_iterations=IN_ORDER
        )
        logits = dense(outputs, 20, "softmax")
        loss = tf.reduce_mean(
            tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        )
        run = {"cell": stack, "inputs": inputs, "outputs": outputs, "initial_state": state}
        return loss, {x: text[:, :-1], y: text[:, 1:]}, {x: text[:, :-1]}, {"": run}

    scope = "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell"
    (hook,) = checked(
        lambda log_dir: trained(build, log_dir), tmp_path, {scope.format(0), scope.format(1)}
    )
    assert "DropoutWrapper" not in hook.report.layers
    assert "runs without dropout" in str(hook.report)


def test_the_language_model_of_ptb(tmp_path: Path, rng: np.random.Generator) -> None:
    words = rng.integers(0, 30, (4, 11))

    def build() -> Any:
        x, y = tf1.placeholder(tf.int32, [4, 10]), tf1.placeholder(tf.int32, [4, 10])
        with tf1.variable_scope("Model", initializer=tf1.random_uniform_initializer(-0.1, 0.1)):
            embedding = tf1.get_variable("embedding", [30, 8])
            inputs = tf.nn.dropout(tf.nn.embedding_lookup(embedding, x), rate=1 - 0.65)
            made = [
                wrappers.DropoutWrapper(cells.LSTMCell(8, forget_bias=0.0), output_keep_prob=0.65)
                for _ in range(2)
            ]
            cell = cells.MultiRNNCell(made)
            first = state = cell.zero_state(4, tf.float32)
            steps = tf.unstack(inputs, num=10, axis=1)
            outputs = []
            with tf1.variable_scope("RNN"):
                for t in range(10):
                    if t > 0:
                        tf1.get_variable_scope().reuse_variables()
                    output, state = cell(steps[t], state)
                    outputs.append(output)
            logits = dense(tf.stack(outputs, 1), 30, "softmax")
        loss = tf.reduce_mean(
            tf1.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        )
        run = {"cell": cell, "inputs": steps, "outputs": outputs, "initial_state": first}
        return (
            loss,
            {x: words[:, :-1], y: words[:, 1:]},
            {x: words[:1].repeat(4, 0)[:, 1:]},
            {"": run},
        )

    scope = "Model/RNN/multi_rnn_cell/cell_{}/lstm_cell"
    (hook,) = checked(
        lambda log_dir: trained(build, log_dir), tmp_path, {scope.format(0), scope.format(1)}
    )
    assert {each.snapshot.timesteps for each in hook.analyses.values()} == {10}


def test_the_recognition_of_human_activity(tmp_path: Path, rng: np.random.Generator) -> None:
    signals, labels = rng.normal(size=(5, 7, 4)).astype("float32"), np.eye(3)[[0, 1, 2, 1, 0]]

    def build() -> Any:
        x = tf1.placeholder(tf.float32, [None, 7, 4])
        y = tf1.placeholder(tf.float32, [None, 3])
        flat = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, 4])
        hidden = tf.nn.relu(dense(flat, 6, "hidden"))
        steps = tf.split(hidden, 7, 0)
        stack = cells.MultiRNNCell([cells.BasicLSTMCell(6, forget_bias=1.0) for _ in range(2)])
        outputs, _ = tf1.nn.static_rnn(stack, steps, dtype=tf.float32)
        logits = dense(outputs[-1], 3, "classes")
        decay = 0.001 * sum(tf.nn.l2_loss(each) for each in tf1.trainable_variables())
        cost = tf1.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=logits)
        run = {"cell": stack, "inputs": steps, "outputs": outputs}
        return tf.reduce_mean(cost) + decay, {x: signals, y: labels}, {x: signals[:2]}, {"": run}

    scope = "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell"
    checked(lambda log_dir: trained(build, log_dir), tmp_path, {scope.format(0), scope.format(1)})


def test_a_bidirectional_language_model_with_projection(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    tokens, lengths = rng.normal(size=(3, 8, 5)).astype("float32"), np.array([8, 5, 6])

    def build() -> Any:
        x = tf1.placeholder(tf.float32, [None, 8, 5])
        sizes = tf1.placeholder(tf.int32, [None])
        outputs, runs = [], {}
        for name in ("forward", "backward"):
            made = [cells.LSTMCell(9, num_proj=5, cell_clip=3.0, proj_clip=3.0) for _ in range(2)]
            stack = cells.MultiRNNCell([made[0], wrappers.ResidualWrapper(made[1])])
            read = x if name == "forward" else tf.reverse_sequence(x, sizes, seq_axis=1)
            read = tf.nn.dropout(read, rate=0.1)
            with tf1.variable_scope(f"{name}_direction"):
                output, _ = tf1.nn.dynamic_rnn(stack, read, sequence_length=sizes, dtype=tf.float32)
            outputs.append(output)
            runs[name] = {
                "cell": stack, "inputs": read, "outputs": output, "sequence_length": sizes
            }  # fmt: skip
        outputs[1] = tf.reverse_sequence(outputs[1], sizes, seq_axis=1)
        loss = tf.reduce_mean((tf.concat(outputs, 2) - 0.5) ** 2)
        fed = {x: tokens, sizes: lengths}
        return loss, fed, {x: tokens[:2], sizes: lengths[:2]}, runs

    names = {
        f"{way}_direction/rnn/multi_rnn_cell/cell_{layer}/lstm_cell"
        for way in ("forward", "backward")
        for layer in range(2)
    }
    without, _ = trained(build, None)
    weights, hooks = trained(build, tmp_path)
    for a, b in zip(without, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    shown = {name: each.verdict for hook in hooks for name, each in hook.report.layers.items()}
    assert shown == dict.fromkeys(names, "match")
    for hook, other in zip(hooks, hooks[::-1], strict=True):  # each names what the other shows
        unshown = hook.report.remarks.keys() - hook.report.layers.keys()
        assert unshown == other.report.layers.keys()


def test_a_seq2seq_model_with_attention(tmp_path: Path, rng: np.random.Generator) -> None:
    class AttentionWrapper(cells.RNNCell):  # type: ignore[misc]
        """Luong's attention with input feeding, as seq2seq libraries wrap a cell."""

        def __init__(self, cell: Any, memory: Any) -> None:
            super().__init__(name="attention_wrapper")
            self._cell, self._memory = cell, memory
            self._layer = tf1.get_variable("attention_layer", [12, 6])

        @property
        def state_size(self) -> Any:
            return self._cell.state_size, 6

        @property
        def output_size(self) -> int:
            return 6

        def call(self, inputs: Any, state: Any) -> Any:
            inner, attention = state
            output, inner = self._cell(tf.concat([inputs, attention], 1), inner)
            scores = tf.nn.softmax(tf.einsum("bsw,bw->bs", self._memory, output))
            context = tf.einsum("bs,bsw->bw", scores, self._memory)
            attention = tf.tanh(tf.matmul(tf.concat([output, context], 1), self._layer))
            return attention, (inner, attention)

    source = rng.normal(size=(3, 7, 4)).astype("float32")
    target = rng.normal(size=(3, 5, 4)).astype("float32")

    def build() -> Any:
        x, y = tf1.placeholder(tf.float32, [3, 7, 4]), tf1.placeholder(tf.float32, [3, 5, 4])
        encoder = cells.LSTMCell(6)
        memory, last = tf1.nn.dynamic_rnn(encoder, x, dtype=tf.float32, scope="encoder")
        decoder = AttentionWrapper(
            wrappers.DropoutWrapper(cells.LSTMCell(6), input_keep_prob=0.8), memory
        )
        state = (last, tf.zeros([3, 6]))
        outputs, _ = tf1.nn.dynamic_rnn(
            decoder, y, initial_state=state, scope="decoder", parallel_iterations=IN_ORDER
        )
        loss = tf.reduce_mean((dense(outputs, 4, "words") - y) ** 2)
        runs = {
            "encoder": {"cell": encoder, "inputs": x, "outputs": memory},
            "decoder": {
                "cell": decoder, "inputs": y, "outputs": outputs, "initial_state": state
            },
        }  # fmt: skip
        return loss, {x: source, y: target}, {x: source, y: target}, runs

    without, _ = trained(build, None)
    weights, hooks = trained(build, tmp_path)
    for a, b in zip(without, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    shown = {name: each.verdict for hook in hooks for name, each in hook.report.layers.items()}
    assert list(shown.values()) == ["match", "match"]
    snapshots = [next(iter(hook.analyses.values())).snapshot for hook in hooks]
    assert [each.x.shape for each in snapshots] == [(3, 7, 4), (3, 5, 10)]
    np.testing.assert_allclose(snapshots[1].initial_state[0], snapshots[0].output[:, -1])
