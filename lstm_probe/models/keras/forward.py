"""How a model is run on the probe: by its own call, or as the user says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Model, flavour_of
from lstm_probe.models.keras.refusals import check_forward, check_has_call, example_of_forward
from lstm_probe.models.keras.signature import probe_arguments
from lstm_probe.models.probe import Probe, probe_leaves
from lstm_probe.models.purity.trial import Trial

__all__ = ["ForwardFunction", "Pass", "build", "pass_through"]

#: The user's way to run a model on the probe, of which the result does not matter.
ForwardFunction: TypeAlias = Callable[[Model, Any], Any]
#: Runs a model on tensors in the structure of the probe.
Pass: TypeAlias = Callable[[Model, Any], Any]


def pass_through(model: Model, forward: ForwardFunction | None) -> Pass:
    """What runs the model on the probe.

    Args:
        model: the model.
        forward: the user's way; None to call the model, without training it.

    Raises:
        LstmProbeError: the user's way is no function, or the model has no call.
    """
    check_forward(forward)
    if forward is not None:
        return forward
    check_has_call(model)
    return _call


def build(model: Model, probe: Probe, forward: ForwardFunction | None, trial: Trial) -> None:
    """Create the variables of layers that wait for their first batch.

    The batch has no size at first, so that the layers take others later. A model that reads the
    size is run with that of the probe.

    Args:
        model: the model.
        probe: as `as_probe` returns it.
        forward: as of `pass_through`.
        trial: watches the passes.

    Raises:
        LstmProbeError: layers can be created in the order of the training alone, and `forward`
            may have another.
    """
    flavour = flavour_of(model)
    if all(layer.built for layer in model._flatten_layers(include_self=forward is None)):
        return
    if forward is not None and not flavour.BUILDS_IN_ANY_ORDER:
        raise LstmProbeError(
            f"Model {model.name!r} has layers without variables, whose initial values depend on "
            "the order in which the training makes them. Received: a model that is not built, and "
            "forward. Expected: a model that has run before the training begins, such as "
            f"{example_of_forward(model).partition(': ')[2].replace('probe', 'x_train[:1]')}."
        )
    run, leaf = pass_through(model, forward), probe_leaves(probe)[0]
    size = len(leaf) if leaf.ndim else 1
    try:
        with trial.attempt(), _warning_if_it_works():
            flavour.build(model, probe, run, batch=None, symbolic=forward is None)
    except LstmProbeError:
        raise
    except Exception:
        flavour.build(model, probe, run, batch=size, symbolic=forward is None)


@contextmanager
def _warning_if_it_works() -> Iterator[None]:
    """Hold the context's warnings back, and forget them if it fails: it is tried in another way."""
    with warnings.catch_warnings(record=True) as held:
        yield
    for each in held:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _call(model: Model, probe: Any) -> Any:
    arguments, named = probe_arguments(model, probe)
    return model(*arguments, **{**named, **flavour_of(model).inference(model)})
