"""Train an LSTM that reads handwritten digits row by row, and watch its gates in TensorBoard.

python examples/digits_keras.py
python examples/digits_keras.py --data mnist --epochs 3
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import digits_data
import keras

from lstm_probe.callbacks import ProbeCallback


def main() -> None:
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    digits = digits_data.load(options.data)
    rows, columns = digits.x_train.shape[1:]
    print(f"{digits.name}: {len(digits.x_train)} digits to train on, {rows} rows of {columns}")

    model = keras.Sequential(
        [
            keras.Input((rows, columns), name="rows"),
            keras.layers.LSTM(options.units, dropout=0.2, name="reader"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    probe = ProbeCallback(digits.x_test[:1], options.log_dir, every=options.every)
    model.fit(
        digits.x_train,
        digits.y_train,
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_data=(digits.x_test, digits.y_test),
        callbacks=[probe],
        verbose=options.verbose,
    )

    _, accuracy = model.evaluate(digits.x_test, digits.y_test, verbose=0)
    print(f"\nAccuracy on {len(digits.x_test)} digits never seen: {accuracy:.1%}\n")
    print(probe.report)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", default="sklearn", help="sklearn, mnist, or an .npz file (default: sklearn)")
    add("--log-dir", default="logs/digits", help="where the logs go (default: logs/digits)")
    add("--every", type=int, default=20, help="steps between captures (default: 20)")
    add("--units", type=int, default=128, help="units of the LSTM (default: 128)")
    add("--epochs", type=int, default=10, help="rounds over the data (default: 10)")
    add("--batch-size", type=int, default=32, help="digits per training step (default: 32)")
    add("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    add("--verbose", type=int, default=1, help="Keras's progress display (default: 1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
