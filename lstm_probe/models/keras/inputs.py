"""A probe as one model takes it: which arrays are inputs, of which shapes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.arrays import Leaf
from lstm_probe.models.keras.flavour import Model, Tensor, flavour_of
from lstm_probe.models.keras.signature import required_arguments
from lstm_probe.models.probe import Probe, probe_leaves
from lstm_probe.models.ragged import Ragged

__all__ = ["check_fits", "fitted", "is_pair"]


def fitted(model: Model, probe: Probe) -> Probe:
    """A probe as a model takes it.

    Of a pair of inputs and targets the inputs are taken, if the model has one input: `is_pair`
    tells. Sequences of different lengths are padded where the model masks the padding.

    Args:
        model: the model, which may say nothing of its inputs.
        probe: as `as_probe` returns it, ragged ones included.

    Raises:
        LstmProbeError: the sequences have different lengths, and the model does not mask.
    """
    if is_pair(model, probe):
        probe = probe[0]
    probe = list(probe) if isinstance(probe, tuple) else probe
    if isinstance(probe, Mapping):
        known = _by_name(model)
        has_all = bool(known) and known.keys() <= probe.keys()
        # As Keras does, what the model has no input for is left out.
        names = [name for name in probe if name in known or not has_all]
        return {name: _fitted(model, known.get(name), probe[name]) for name in names}
    specs = _specs(model)
    if isinstance(probe, list):
        rows = _as_rows(specs, probe)
        if rows is not None:
            return _fitted(model, specs[0], rows)
        specs += [None] * len(probe)
        return [_fitted(model, spec, leaf) for spec, leaf in zip(specs, probe, strict=False)]
    return _fitted(model, specs[0] if len(specs) == 1 else None, probe)


def is_pair(model: Model, probe: Probe) -> bool:
    """Whether a probe is certainly `(inputs, targets)` or `(inputs, targets, weights)`: a tuple,
    for a model that takes one input.

    Args:
        model: the model, which may say nothing of its inputs.
        probe: as `as_probe` returns it.
    """
    return isinstance(probe, tuple) and len(probe) in (2, 3) and _takes_one(model)


def check_fits(model: Model, probe: Probe) -> None:
    """Compare the probe with what the model says of its inputs.

    Raises:
        LstmProbeError: another number of inputs, another shape, fractions for whole numbers, or
            strings for numbers.
    """
    # A subclassed model says nothing of its inputs; running the probe will tell.
    inputs, leaves, known = _specs(model), probe_leaves(probe), _by_name(model)
    if inputs and len(inputs) != len(leaves):
        names = f", by the names {', '.join(probe)}" if isinstance(probe, Mapping) else ""
        raise LstmProbeError(
            f"The probe does not fit model {model.name!r}. Received: {len(leaves)} arrays{names}. "
            f"Expected: {len(inputs)}, for the inputs {', '.join(known)}."
        )
    if isinstance(probe, Mapping) and known.keys() == probe.keys():
        inputs = [known[name] for name in probe]
    for tensor, leaf in zip(inputs, leaves, strict=False):
        _check_leaf(model, tensor, leaf)


def _specs(model: Model) -> list[Any]:
    """What the model says of its inputs; empty if it says nothing."""
    return list(flavour_of(model).flatten(getattr(model, "inputs", None) or []))


def _by_name(model: Model) -> dict[str, Tensor]:
    """The same, by the names in a dictionary of inputs."""
    structure = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
    if isinstance(structure, Mapping):
        return dict(structure)
    return {str(tensor.name): tensor for tensor in _specs(model)}


def _takes_one(model: Model) -> bool:
    """Whether the model is known to take one array."""
    if _specs(model):
        return len(_specs(model)) == 1
    if required_arguments(model):
        return False
    # What a model that was called has noted of its input: Keras 3, and Keras 2.
    shapes = getattr(model, "_build_shapes_dict", None)
    if shapes is None:
        shapes = {"": getattr(model, "_build_input_shape", None)}
    seen = list(shapes.values())
    return len(seen) == 1 and seen[0] is not None and _is_one_shape(seen[0])


def _is_one_shape(shape: Any) -> bool:
    return not isinstance(shape, Mapping) and all(
        size is None or isinstance(size, int) for size in shape
    )


def _as_rows(specs: Sequence[Any], probe: Sequence[Leaf]) -> Leaf | None:
    """Arrays without batch axis as sequences of one batch; None if they are the model's inputs."""
    if len(specs) != 1 or specs[0].shape is None:
        return None
    rank, arrays = len(specs[0].shape), [each for each in probe if not isinstance(each, Ragged)]
    alike = len(arrays) == len(probe) and {each.ndim for each in arrays} == {rank - 1}
    if not alike or len({each.shape[1:] for each in arrays}) > 1:
        return None
    if len({len(each) for each in arrays}) == 1:
        return np.stack(arrays)
    return Ragged.of(arrays)


def _fitted(model: Model, spec: Tensor | None, leaf: Leaf) -> Leaf:
    if not isinstance(leaf, Ragged):
        # Both Kerases give a column of numbers or words its second axis.
        is_column = spec is not None and leaf.ndim == 1 and tuple(spec.shape)[1:] == (1,)
        return leaf[:, None] if is_column else leaf
    if flavour_of(model).takes_ragged(model, spec, leaf):
        return leaf
    padding = _padding(model, leaf)
    if padding is None:
        raise LstmProbeError(
            f"The sequences of the probe have different lengths, and model {model.name!r} masks "
            f"no padding. Received: {len(leaf)} sequences of up to {leaf.shape[1]} timesteps. "
            "Expected: a Masking layer, or an Embedding with mask_zero=True, for which they are "
            "padded; or sequences that you pad yourself, probe=keras.utils.pad_sequences("
            f'sequences, padding="post", dtype="{leaf.dtype}").'
        )
    return leaf.padded(padding)


def _padding(model: Model, leaf: Ragged) -> Any:
    """The value that the model masks; None if it masks none."""
    for layer in model._flatten_layers():
        if leaf.dtype.kind in "US":
            token = getattr(layer, "mask_token", None)
            if isinstance(token, str):
                return token
        elif type(layer).__name__ == "Masking":
            return layer.mask_value
        elif getattr(layer, "mask_zero", False):
            return 0
    return None


def _check_leaf(model: Model, tensor: Any, leaf: Leaf) -> None:
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))  # TensorFlow's are no strings
    if (dtype == "string") != (leaf.dtype.kind in "US"):
        raise LstmProbeError(
            f"The probe does not fit model {model.name!r}. Received: {leaf.dtype}. Expected: "
            f"{'strings' if dtype == 'string' else f'numbers ({dtype})'} for its input "
            f"{tensor.name!r}."
        )
    expected = tuple(tensor.shape)
    if not any(getattr(layer, "stateful", False) for layer in model._flatten_layers()):
        expected = (None, *expected[1:])  # a model built by its first batch names its size
    shown = f"({', '.join('any' if size is None else str(size) for size in expected)})"
    fits = len(leaf.shape) == len(expected) and all(
        size is None or size == given for size, given in zip(expected, leaf.shape, strict=True)
    )
    if not fits:
        raise LstmProbeError(
            f"The probe does not fit model {model.name!r}. Received: shape {leaf.shape}. "
            f"Expected: {shown} for its input {tensor.name!r}, the batch first. "
            "A slice such as x_train[:1] keeps the batch axis."
        )
    whole = dtype != "string" and np.dtype(dtype).kind in "iub"
    values = leaf.values if isinstance(leaf, Ragged) else leaf
    if whole and values.dtype.kind == "f" and (values != np.round(values)).any():
        raise LstmProbeError(
            f"The probe does not fit model {model.name!r}. Received: {leaf.dtype} with fractions. "
            f"Expected: whole numbers ({dtype}) for its input {tensor.name!r}."
        )
