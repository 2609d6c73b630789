"""Handwritten digits for the examples, as sequences of pixel rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Digits:
    """Images `(count, rows, columns)` as float32 in 0..1, and their classes `(count,)`."""

    name: str
    x_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]


def load(source: str) -> Digits:
    """`sklearn` (1,797 digits of 8 x 8 that ship with scikit-learn), `mnist` (downloads 70,000 of
    28 x 28) or the path of an `.npz` file with Keras's keys `x_train y_train x_test y_test`.

    Raises:
        SystemExit: there is no such data; the message says what can be done.
    """
    if source == "sklearn":
        return _from_sklearn()
    if source == "mnist":
        return _from_keras()
    return _from_file(Path(source))


def _from_sklearn() -> Digits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, classes = load_digits(return_X_y=True)
    parts = train_test_split(
        images.reshape(-1, 8, 8), classes, test_size=360, random_state=0, stratify=classes
    )
    return _scaled("scikit-learn digits", *parts)


def _from_keras() -> Digits:
    from keras.datasets import mnist

    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when the download fails
        raise SystemExit(f"MNIST cannot be downloaded ({error}). Try --data PATH.npz.") from error
    return _scaled("MNIST", x_train, x_test, y_train, y_test)


def _from_file(path: Path) -> Digits:
    keys = ("x_train", "x_test", "y_train", "y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            return _scaled(path.name, *(file[key] for key in keys))
    except (OSError, KeyError, ValueError) as error:
        raise SystemExit(
            f"--data {path} cannot be read ({error}). Expected: sklearn, mnist, or an .npz file "
            f"with the arrays {', '.join(keys)}."
        ) from error


def _scaled(
    name: str,
    x_train: npt.NDArray[np.generic],
    x_test: npt.NDArray[np.generic],
    y_train: npt.NDArray[np.generic],
    y_test: npt.NDArray[np.generic],
) -> Digits:
    largest = np.float32(x_train.max())
    return Digits(
        name,
        x_train.astype(np.float32) / largest,
        y_train.astype(np.int64),
        x_test.astype(np.float32) / largest,
        y_test.astype(np.int64),
    )
