"""Why a model cannot be read, in the user's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Layer, Model, flavour_of
from lstm_probe.models.keras.signature import has_call
from lstm_probe.models.probe import Probe, probe_leaves

__all__ = ["check_forward", "check_has_call", "example_of_forward", "not_called", "refused"]

#: What a model raises that does not like its input. What else it raises is a fault of its own.
_DISLIKES = (ValueError, TypeError, IndexError, KeyError, AssertionError)


def check_forward(forward: Any) -> None:
    """Check the option `forward`.

    Raises:
        LstmProbeError: it cannot be called.
    """
    if forward is not None and not callable(forward):
        raise LstmProbeError(
            f"The option forward is no function. Received: forward={forward!r:.60}. Expected: a "
            "function of the model and the probe, such as forward=lambda model, probe: "
            "model.encoder(probe)."
        )


def check_has_call(model: Model) -> None:
    """Refuse a model that is only a container of layers.

    Raises:
        LstmProbeError: it has no `call`, so that nothing is known of how its layers are run.
    """
    if not has_call(model):
        raise LstmProbeError(
            f"Model {model.name!r} has no call of its own: only its training runs its layers. "
            f"Received: {type(model).__name__}, without a method call. Expected: how to run it on "
            f"the probe, {example_of_forward(model)}."
        )


def example_of_forward(model: Model) -> str:
    """A line that a user may write, with a part of the model that has a recurrent layer."""
    kind = flavour_of(model).layers.RNN
    parts = {**vars(model), **vars(model).get("_modules", {})}  # PyTorch keeps its modules apart
    for name, value in parts.items():
        with suppress(Exception):
            if not name.startswith("_") and any(
                isinstance(each, kind) for each in value._flatten_layers()
            ):
                return f"forward=lambda model, probe: model.{name}(probe)"
    return "forward=lambda model, probe: model(probe)"


def not_called(model: Model, layers: Mapping[str, Layer]) -> LstmProbeError:
    """The refusal of a model that calls none of its recurrent layers on the probe."""
    return LstmProbeError(
        f"Model {model.name!r} does not run its recurrent layers on the probe. Received: "
        f"{', '.join(layers)}, none of them called. Expected: layers that the model's call uses; "
        f"or how to run them, {example_of_forward(model)}."
    )


@contextmanager
def refused(model: Model, probe: Probe, alone: Callable[[], Any] | None = None) -> Iterator[None]:
    """Say why the model cannot be read, when the context raises anything.

    Args:
        model: the model.
        probe: the probe.
        alone: runs the model on the probe while nobody listens: if that works, the model does take
            the probe.
    """
    try:
        yield
    except LstmProbeError:
        raise
    except Exception as error:
        if alone is not None and _works(alone):
            raise LstmProbeError(
                f"Model {model.name!r} takes the probe, but its layers cannot be listened to. "
                f"Received: {_told(error)}. Expected: layers whose call can be watched; "
                "leave others out by layers=[...], or run those that matter by "
                f"{example_of_forward(model)}."
            ) from error
        raise _refusal(model, probe, error) from error


def _works(alone: Callable[[], Any]) -> bool:
    try:
        alone()
    except Exception:
        return False
    return True


def _refusal(model: Model, probe: Probe, error: Exception) -> LstmProbeError:
    shapes = ", ".join(f"{leaf.shape} {leaf.dtype}" for leaf in probe_leaves(probe))
    other_way = (
        ""
        if getattr(model, "inputs", None)
        else f" If the training calls it in another way, say how: {example_of_forward(model)}."
    )
    if isinstance(error, _DISLIKES) or "InvalidArgument" in type(error).__name__:
        return LstmProbeError(
            f"Model {model.name!r} does not take the probe. Received: a probe of shape {shapes}; "
            f"the model says: {error}. Expected: what model.predict takes, such as x_train[:1]."
            f"{other_way}"
        )
    return LstmProbeError(
        f"Model {model.name!r} fails by an error of its own when it is called for inference. "
        f"Received: {_told(error)}, for a probe of shape {shapes}. Expected: a call that works "
        f"with training=False.{other_way}"
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
