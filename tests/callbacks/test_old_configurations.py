"""Configurations that Keras saved before the files moved to their rooms."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.schedule import Logarithmic

#: What `keras.saving.serialize_keras_object` gave in lstm_probe 0.1.0.
SAVED: dict[str, Any] = {
    "module": "lstm_probe.callbacks.keras_callback",
    "class_name": "ProbeCallback",
    "config": {
        "probe": {
            "class_name": "__numpy__",
            "config": {"value": [[[1.0], [1.0]]], "dtype": "float64"},
        },
        "log_dir": "logs",
        "every": {"schedule": "Logarithmic", "per_decade": 8, "first": 1},
        "layers": None,
        "write_images": True,
        "on_alert": "stop",
        "max_overhead": 0.01,
        "detail": "gates",
        "background": False,
        "labels": None,
        "max_log_bytes": 1073741824,
    },
    "registered_name": "lstm_probe>ProbeCallback",
}


def test_a_callback_is_made_from_a_saved_configuration() -> None:
    callback = keras.saving.deserialize_keras_object(SAVED)
    assert type(callback) is ProbeCallback
    assert callback.get_config()["on_alert"] == "stop"
    np.testing.assert_array_equal(callback.get_config()["probe"], np.ones((1, 2, 1)))
    assert callback.get_config()["every"] == {"schedule": "Logarithmic", **vars(Logarithmic())}
