"""Trains a model three times, twice without the probe, and compares every bit that is left."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import purity_zoo
from purity_zoo import zoo

from lstm_probe.callbacks import ProbeCallback

__all__ = ["differences", "trained"]

_ATTEMPTS = 4


def differences(
    K: Any,  # noqa: N803 - a package
    backend: str,
    name: str,
    log_dir: Path,
) -> tuple[list[str], list[str]]:
    """What differs between two trainings without the probe, and between one and that with it.

    TensorFlow's threads add up gradients in no fixed order, so that a training comes out in one of
    a few ways. A probe that leaves a trace comes out in none of them, however often it is tried.
    """
    controls = [trained(K, backend, name, None) for _ in range(2)]
    for attempt in range(_ATTEMPTS):
        probed = trained(K, backend, name, log_dir / str(attempt))
        found = min((_differences(each, probed) for each in controls), key=len)
        if not found:
            return [], []
        controls.append(trained(K, backend, name, None))
    pairs = [_differences(a, b) for a, b in combinations(controls, 2)]
    return min(pairs, key=len), found


def trained(
    K: Any,  # noqa: N803 - a package
    backend: str,
    name: str,
    log_dir: Path | None,
) -> dict[str, Any]:
    """All that is left of a training from fixed seeds, as bytes by name."""
    case = zoo(K, backend)[name]  # of classes of its own, so that they begin anew
    K.backend.clear_session()
    K.utils.set_random_seed(7)
    purity_zoo.calls, purity_zoo.COUNTS["global"] = 0, 0
    rng = np.random.default_rng(7)
    x = rng.normal(size=(24, 6, 3)).astype("float32")
    y = rng.normal(size=(24, 2)).astype("float32")
    model = case.build()
    options = {"optimizer": "adam", "loss": "mse", **case.compile}
    if callable(options["optimizer"]):
        options["optimizer"] = options["optimizer"]()
    model.compile(**options)
    probe = None
    if log_dir is not None:
        options = {"every": 3, "max_overhead": None, "detail": "scalars"}
        probe = ProbeCallback(x[:8], log_dir, background=case.background, **options)
    losses = _fit(model, x, y, probe) if case.way == "fit" else _loop(model, x, y, probe)
    left = {f"loss {index}": each for index, each in enumerate(losses)}
    left |= {f"variable {i}": np.asarray(_array(v)) for i, v in enumerate(model.variables)}
    slots = model.optimizer.variables
    slots = slots() if callable(slots) else slots
    left |= {f"optimizer {i}": np.asarray(_array(v)) for i, v in enumerate(slots)}
    left |= dict(_held(model))
    left["random"] = random.random()
    left["np.random"] = np.random.rand()  # noqa: NPY002 - the global one is what is looked at
    left["globals"] = (purity_zoo.calls, purity_zoo.COUNTS["global"])
    left["framework"] = _drawn(K)
    if probe is not None:
        assert probe.report.failed == 0
        assert probe.report.captured >= 3
    return left


def _fit(model: Any, x: Any, y: Any, probe: Any) -> list[float]:
    callbacks = [] if probe is None else [probe]
    shown = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    return list(shown.history["loss"])


def _loop(model: Any, x: Any, y: Any, probe: Any) -> list[float]:
    losses = []
    if probe is not None:
        probe.step(model)
    for start in [*range(0, len(x), 8)] * 2:
        losses.append(float(model.train_on_batch(x[start : start + 8], y[start : start + 8])))
        if probe is not None:
            probe.step(model)
    if probe is not None:
        probe.close()
    return losses


def _held(model: Any) -> Iterator[tuple[str, Any]]:
    """The public attributes of all layers of the user's, and of their classes."""
    for index, layer in enumerate(model._flatten_layers()):
        if type(layer).__module__.startswith("purity_zoo"):
            for name, value in vars(layer).items():
                if not name.startswith("_"):
                    yield f"{name} of layer {index}", _plain(value)
            for name, value in vars(type(layer)).items():
                if name in ("seen", "history"):
                    yield f"{name} of the class of layer {index}", _plain(value)
        if hasattr(layer, "named_modules"):  # PyTorch's
            yield f"modules of layer {index}", _plain([m.training for m in layer.modules()])
            yield f"buffers of layer {index}", [_plain(b) for b in layer.buffers()]


def _plain(value: Any) -> Any:
    if isinstance(value, (int, float, str, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, deque)):
        return [_plain(each) for each in value]
    for method in ("getstate", "get_state"):
        if hasattr(value, method):
            return _plain(getattr(value, method)())
    if isinstance(value, np.random.Generator):
        return _plain(value.bit_generator.state)
    if hasattr(value, "state") and not callable(value.state):
        return _plain(value.state)
    if type(value).__name__ == "_Object":
        return vars(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        # What a trace leaves behind has no value; that there is one is what is compared.
        array = _array(value)
        return type(value).__name__ if array is None else array
    return type(value).__name__


def _array(value: Any) -> Any:
    value = getattr(value, "value", value)
    value = value() if callable(value) else value  # of tf_keras
    try:
        return np.array(value.detach().cpu() if hasattr(value, "detach") else value)
    except Exception:  # each framework says in its own way that a tensor is symbolic
        return None


def _drawn(K: Any) -> Any:  # noqa: N803
    if hasattr(K, "random"):
        return _array(K.random.uniform((3,)))
    import tensorflow as tf

    return tf.random.uniform((3,)).numpy()


def _differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    names = dict.fromkeys([*a, *b])
    return [n for n in names if n not in a or n not in b or _bits(a[n]) != _bits(b[n])]


def _bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bits(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bits(each) for each in value]
    return value.tobytes() if isinstance(value, (np.ndarray, np.generic)) else value
