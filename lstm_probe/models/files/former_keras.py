"""What files of older Keras leave unsaid.

Keras up to 2.1 had no `reset_after`, and its GRU applied the reset gate before the product. Its
configurations do not name the option, whose default is True today.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["naming_former_defaults", "with_former_defaults"]

_WITHOUT_RESET = ("GRU", "GRUCell")


@contextmanager
def with_former_defaults(package: str, config: Any) -> Iterator[None]:
    """While the context lasts, a GRU whose configuration has no `reset_after` is an older one.

    Args:
        package: the Keras that builds the model; only `tf_keras` reads files of older Keras.
        config: the model's configuration.
    """
    if package != "tf_keras" or not _is_former(config):
        yield
        return
    import tf_keras

    former = {name: _former(getattr(tf_keras.layers, name)) for name in _WITHOUT_RESET}
    with tf_keras.utils.custom_object_scope(former):
        yield


def naming_former_defaults(package: str, config: Any) -> Any:
    """A configuration in which every GRU has its `reset_after`.

    Args:
        package: the Keras that builds the model.
        config: the model's configuration, which is not changed.

    Example:
        >>> gru = {"class_name": "GRU", "config": {"units": 3}}
        >>> naming_former_defaults("tf_keras", [gru])[0]["config"]
        {'reset_after': False, 'units': 3}
    """
    if isinstance(config, list):
        return [naming_former_defaults(package, each) for each in config]
    if package != "tf_keras" or not isinstance(config, dict):
        return config
    made = {name: naming_former_defaults(package, each) for name, each in config.items()}
    held = made.get("config")
    if made.get("class_name") in _WITHOUT_RESET and isinstance(held, dict):
        made["config"] = {"reset_after": False, **held}
    return made


def _is_former(config: Any) -> bool:
    """Whether a GRU of a configuration leaves out where its reset gate acts."""
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            held = node.get("config")
            is_gru = node.get("class_name") in _WITHOUT_RESET
            if is_gru and isinstance(held, dict) and "reset_after" not in held:
                return True
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


def _former(kind: Any) -> Any:
    """What makes layers of a class out of configurations, with the former default."""

    class Former:
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return kind.from_config({"reset_after": False, **config})

    return Former
