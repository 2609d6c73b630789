"""The part of a Keras model after one of its recurrent layers, as a pure function of arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from lstm_probe.analysis.rest import IN_FLOAT32, Rest, RestError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.cells import cells_of
from lstm_probe.models.keras.flavour import Flavour, Layer, Model, Tensor, flavour_of
from lstm_probe.models.keras.sites import Site
from lstm_probe.models.keras.taps import overlaid
from lstm_probe.models.purity.trial import Trial

__all__ = ["rests_of"]


def rests_of(
    model: Model,
    sites: Sequence[Site],
    snapshots: Sequence[Snapshot],
    run: Callable[[], Any],
    trial: Trial,
) -> tuple[dict[str, Rest], str]:
    """The part of a model after each of its layers, on the weights that it has at the first run.

    The model runs on its probe with the layer's output replaced. Nothing of it changes: the pass
    runs on copies of its variables, as that of a capture does. What goes wrong is a `RestError`.

    Args:
        model: the model.
        sites: where it calls its layers.
        snapshots: what was seen of them.
        run: runs the model on the probe.
        trial: watches the passes.

    Returns:
        The rest of each layer that has one, by its name; and why others have none, in a sentence,
        or nothing.
    """
    found, without = dict[str, Rest](), []
    shapes = {each.layer: each.output.shape for each in snapshots}
    for site in sites:
        why = _why_not(site, sites)
        if why is not None:
            without.append(f"The model after {site.name} is not run: {why}.")
        elif site.name in shapes:
            found[site.name] = _rest(model, site, run, shapes[site.name], trial)
    return found, " ".join(without)


def _why_not(site: Site, sites: Sequence[Site]) -> str | None:
    """Why the part of a model after a layer cannot be run; None if it can."""
    layer = site.layer
    if site.is_joined or site.is_merged or len(site.calls) != 1:
        return "the model calls it step by step"
    if sum(each.layer is layer for each in sites) > 1:
        if len(cells_of(layer)) > 1:
            return "it is one of several cells of a layer"
        return "the model calls it more than once"
    if getattr(layer, "time_major", False):
        return "its first axis is that of the time"
    return None


def _returns_more(layer: Layer) -> bool:
    """Whether a layer returns a state that is more than its output, such as an LSTM's `c`."""
    size = cells_of(layer)[0].state_size
    return bool(layer.return_state) and isinstance(size, (list, tuple)) and len(size) > 1


def _rest(
    model: Model, site: Site, run: Callable[[], Any], shape: tuple[int, ...], trial: Trial
) -> Rest:
    flavour, batch, zeros = flavour_of(model), shape[0], np.zeros(shape, np.float32)

    def outputs_of(h: Tensor, shift: Tensor | None = None) -> Tensor:
        with overlaid(site.layer, _StandIn(site.layer, h, flavour, shift)):
            found = run()
        tensors = [each for each in flavour.flatten(found) if hasattr(each, "shape")]
        rows = [flavour.reshaped(each, (batch, -1), "float32") for each in tensors]
        return rows[0] if len(rows) == 1 else flavour.join(rows)

    def pulled_back(h: Tensor, by_output: Tensor) -> Tensor:
        return flavour.pulled_back(outputs_of, h, by_output)

    @cache  # both are compiled when they are first asked for
    def forward() -> Callable[..., Array]:
        if _returns_more(site.layer):
            _check_unread(flavour.pure(model, outputs_of, [zeros, zeros[:1, 0, 0]], trial), shape)
        return flavour.pure(model, outputs_of, [zeros], trial)

    @cache
    def backward() -> Callable[..., Array]:
        return flavour.pure(model, pulled_back, [zeros, np.zeros_like(forward()(zeros))], trial)

    def outputs(h: Array) -> Array:
        with _failing():
            return forward()(h)

    def back(h: Array, by_output: Array) -> Array:
        with _failing():
            return backward()(h, by_output)

    return Rest(outputs, back, tolerance=IN_FLOAT32)


def _check_unread(shifted: Callable[..., Array], shape: tuple[int, ...]) -> None:
    """Check that a model's output depends on nothing but the output of a layer.

    Args:
        shifted: the model's output, of that of the layer and a shift of its other states.
        shape: that of the layer's output.

    Raises:
        RestError: the model reads the other states too, which the rest does not take.
    """
    some = np.random.default_rng(0).normal(size=shape)
    if not np.array_equal(shifted(some, np.zeros(1)), shifted(some, np.ones(1))):
        raise RestError(
            "It reads a state of the layer that is more than its output. Received: return_state="
            "True, and a model that goes on from the cell state. Expected: one that reads the "
            "layer's output and the last h alone."
        )


@contextmanager
def _failing() -> Iterator[None]:
    """Say that the rest of the model does not run, when the context raises anything."""
    try:
        yield
    except (RestError, MemoryError):
        raise
    except LstmProbeError as error:
        raise RestError(str(error)) from error
    except Exception as error:
        told = " ".join(str(error).split())[:300]
        raise RestError(
            f"It fails when the output of the layer is replaced. Received: {type(error).__name__}: "
            f"{told}. Expected: a model that gives numbers for each sequence."
        ) from error


class _StandIn:
    """Stands in for a layer's `call`, and gives another output than the layer would.

    Args:
        layer: the layer.
        h: its output, `(batch, time, units)` in the order of the input's time.
        flavour: the Keras of the layer.
        shift: is added to the states that the layer returns beside its output; None for nothing.
    """

    def __init__(self, layer: Layer, h: Tensor, flavour: Flavour, shift: Tensor | None) -> None:
        self._layer, self._h, self._flavour, self._shift = layer, h, flavour, shift
        self._call = flavour.call(layer)
        self.__signature__ = inspect.signature(layer.call)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        layer, h = self._layer, self._h
        result = self._call(*args, **kwargs)
        output = result[0] if layer.return_state else result
        if hasattr(output, "row_splits"):
            raise RestError(
                "What the layer gives is not replaced. Received: a ragged tensor. Expected: "
                "sequences of one length, padded."
            )
        space = tuple(output.shape[2:] if layer.return_sequences else output.shape[1:])
        if layer.go_backwards:  # outputs stand in the order of computation
            h = self._flavour.flip(h)
        steps = self._flavour.reshaped(h, (*h.shape[:2], *space), output.dtype)
        given = steps if layer.return_sequences else steps[:, -1]
        if not layer.return_state:
            return given
        others = [s if self._shift is None else s + self._shift for s in result[2:]]
        return [given, steps[:, -1], *others]
