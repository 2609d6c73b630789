"""Train a BasicLSTMCell on handwritten digits in a TF1 session, and compare it with NumPy.

python examples/mnist_session.py
python examples/mnist_session.py --timesteps rows --plain
python examples/mnist_session.py --data mnist --timesteps 28
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # where BasicLSTMCell lives; before TensorFlow is imported

import digits_data
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeHook, legacy_cells

tf1 = tf.compat.v1
tf1.logging.set_verbosity(tf1.logging.ERROR)

NUM_HIDDEN = 128
NUM_CLASSES = 10
BATCH_SIZE = 128
LEARNING_RATE = 0.001


class Network(NamedTuple):
    """The tensors of the graph that the training and the probe use."""

    x: Any
    y: Any
    cell: Any
    inputs: list[Any]
    outputs: list[Any]
    train: Any
    loss: Any
    accuracy: Any


def main() -> None:
    options = parse_options()
    digits = digits_data.load(options.data)
    x_train, x_test = (cut(images, options.timesteps) for images in (digits.x_train, digits.x_test))
    timesteps, num_input = x_train.shape[1:]
    print(f"{digits.name}: {len(x_train)} digits to train on, {timesteps} steps of {num_input}")

    with tf.Graph().as_default():
        tf1.set_random_seed(options.seed)
        network = build(timesteps, num_input)
        hook = ProbeHook(
            network.cell,
            inputs=network.inputs,
            outputs=network.outputs,
            feed_dict={network.x: x_test[:1]},
            log_dir=options.log_dir,
            every=options.every,
        )
        batches = shuffled_batches(x_train, digits.y_train, options.seed)
        if options.plain:
            train_plain(network, hook, batches, options)
        else:
            train_monitored(network, hook, batches, options)
    print_outputs(hook)
    print(f"\n{hook.report}\n")
    print(f"largest difference: {max_difference(hook):.1e}")


def build(timesteps: int, num_input: int) -> Network:
    x = tf1.placeholder(tf.float32, [None, timesteps, num_input], name="images")
    y = tf1.placeholder(tf.int64, [None], name="digits")
    inputs = tf.unstack(x, timesteps, axis=1)
    cell = legacy_cells().BasicLSTMCell(NUM_HIDDEN, forget_bias=1.0)
    outputs, _ = tf1.nn.static_rnn(cell, inputs, dtype=tf.float32)

    weights = tf1.get_variable(
        "out/weights", [NUM_HIDDEN, NUM_CLASSES], initializer=tf1.random_normal_initializer()
    )
    biases = tf1.get_variable(
        "out/biases", [NUM_CLASSES], initializer=tf1.random_normal_initializer()
    )
    logits = outputs[-1] @ weights + biases
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, axis=1), y), tf.float32))
    train = tf1.train.GradientDescentOptimizer(LEARNING_RATE).minimize(
        loss, global_step=tf1.train.get_or_create_global_step()
    )
    return Network(x, y, cell, inputs, outputs, train, loss, accuracy)


def train_monitored(
    network: Network, hook: ProbeHook, batches: Iterator[Any], options: argparse.Namespace
) -> None:
    with tf1.train.MonitoredTrainingSession(hooks=[hook], log_step_count_steps=None) as session:
        for step in range(1, options.steps + 1):
            train_step(session, network, next(batches), step, options)


def train_plain(
    network: Network, hook: ProbeHook, batches: Iterator[Any], options: argparse.Namespace
) -> None:
    with tf1.Session() as session:
        session.run(tf1.global_variables_initializer())
        hook.after_step(session, 0)
        for step in range(1, options.steps + 1):
            train_step(session, network, next(batches), step, options)
            hook.after_step(session, step)
        hook.end(session)


def train_step(
    session: Any, network: Network, batch: Any, step: int, options: argparse.Namespace
) -> None:
    feed = {network.x: batch[0], network.y: batch[1]}
    if step % options.display_step and step != 1:
        session.run(network.train, feed)
        return
    _, loss, accuracy = session.run([network.train, network.loss, network.accuracy], feed)
    print(f"step {step}: minibatch loss {loss:.4f}, training accuracy {accuracy:.3f}")


def cut(images: npt.NDArray[np.float32], timesteps: str) -> npt.NDArray[np.float32]:
    """Images as `(count, timesteps, pixels)`."""
    pixels = images[0].size
    steps = images.shape[1] if timesteps == "rows" else int(timesteps)
    if steps < 1 or pixels % steps:
        raise SystemExit(
            f"--timesteps {timesteps} does not divide the {pixels} pixels of an image. Expected: "
            f"1, {images.shape[1]} or another divisor of {pixels}, or `rows`."
        )
    return images.reshape(len(images), steps, -1)


def shuffled_batches(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], seed: int
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH_SIZE + 1, BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            yield x[chosen], y[chosen]


def print_outputs(hook: ProbeHook) -> None:
    """The LSTM's last output for one test image, all units: TensorFlow's and NumPy's."""
    (analysis,) = hook.analyses.values()
    theirs, ours = analysis.snapshot.output[0, -1], analysis.trace.h[0, -1]
    print(f"\nLSTM output for one test image at step {analysis.snapshot.step}")
    print("unit   TensorFlow        NumPy   difference")
    for unit, (t, n) in enumerate(zip(theirs, ours, strict=True)):
        print(f"{unit:4d}  {t:+.8f}  {n:+.8f}      {abs(t - n):.1e}")


def max_difference(hook: ProbeHook) -> float:
    (analysis,) = hook.analyses.values()
    return float(np.abs(analysis.snapshot.output - analysis.trace.h).max())


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="sklearn", help="sklearn, mnist, or an .npz file (default: sklearn)")
    add("--timesteps", default="1", help="steps in which an image is read, or `rows` (default: 1)")
    add("--plain", action="store_true", help="a plain loop instead of MonitoredTrainingSession")
    add("--steps", type=int, default=2000, help="training steps (default: 2000)")
    add("--display-step", type=int, default=200, help="steps between two lines (default: 200)")
    add("--every", type=int, default=100, help="steps between captures (default: 100)")
    add("--log-dir", default="logs/mnist_session", help="where the logs go")
    add("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LstmProbeError as error:
        raise SystemExit(str(error)) from error
