"""One batch out of what holds many: a dataset, a data loader, a Keras `Sequence`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.purity.random_states import restored
from lstm_probe.models.purity.walk import put_back

__all__ = ["first_batch"]


def first_batch(probe: Any) -> tuple[Any, Any]:
    """The inputs and the targets of the first batch of what holds batches; anything else as it is,
    without targets.

    A batch is taken so that the training does not notice: the order of a shuffled dataset, random
    numbers and what objects of the user's hold are afterwards what they were.

    Args:
        probe: a `tf.data.Dataset`, a `keras.utils.PyDataset` or `Sequence`, a `DataLoader` of
            PyTorch's, or a probe.

    Returns:
        The inputs, and the targets: None where there are none.

    Raises:
        LstmProbeError: a batch cannot be taken without a change that the training would notice.

    Example:
        >>> first_batch([[1.0, 2.0]])
        ([[1.0, 2.0]], None)
    """
    if hasattr(probe, "element_spec") and hasattr(probe, "_variant_tensor"):
        from lstm_probe.models.tensorflow.datasets import first_element

        return _parts(first_element(probe))
    if all(hasattr(probe, name) for name in ("dataset", "collate_fn", "batch_sampler")):
        return _parts(_first_of_loader(probe), lists=True)
    if hasattr(probe, "on_epoch_end") and hasattr(type(probe), "__getitem__"):
        with restored(), put_back("the probe", probe):
            return _parts(probe[0])
    if hasattr(type(probe), "__next__"):
        raise LstmProbeError(
            "A batch would be taken away from the training. Received: "
            f"{type(probe).__name__}, which gives each batch once. Expected: a batch that you take "
            "yourself, probe=next(batches)[0] (without [0] where it gives inputs alone), or an "
            "array such as x_train[:1]."
        )
    if _is_other_iterable(probe):
        raise LstmProbeError(
            f"The probe is no batch. Received: {type(probe).__name__}. Expected: one batch of it, "
            "probe=next(iter(batches))[0] (without [0] where it gives inputs alone), or an array "
            "such as x_train[:1]."
        )
    return probe, None


def _parts(batch: Any, *, lists: bool = False) -> tuple[Any, Any]:
    """Inputs and targets of a batch, which may be `(inputs, targets, sample_weights)`.

    Args:
        batch: the batch.
        lists: whether a list means the same, as in PyTorch.
    """
    targets = None
    if isinstance(batch, tuple) or (lists and isinstance(batch, list)):
        batch, targets = batch[0], batch[1] if len(batch) > 1 else None
    # A tuple among several inputs is no pair of inputs and targets.
    return list(batch) if isinstance(batch, tuple) else batch, targets


def _first_of_loader(loader: Any) -> Any:
    """The first samples of a `DataLoader`'s dataset, in its order.

    The loader itself would draw random numbers when it is iterated over.
    """
    if loader.batch_size is None or not hasattr(type(loader.dataset), "__getitem__"):
        raise LstmProbeError(
            "Taking a batch out of this DataLoader may change the training. Received: a loader "
            f"of {type(loader.dataset).__name__}, whose samples have no numbers. Expected: a batch "
            "that you take yourself, probe=next(iter(loader))[0], or an array such as x_train[:1]."
        )
    import torch

    count = min(loader.batch_size, len(loader.dataset))
    with restored(), torch.random.fork_rng(), put_back("the probe", loader.dataset):
        return loader.collate_fn([loader.dataset[index] for index in range(count)])


def _is_other_iterable(probe: Any) -> bool:
    is_array = any(hasattr(probe, name) for name in ("shape", "__array__", "to_numpy"))
    known = isinstance(probe, (Sequence, Mapping))
    return isinstance(probe, Iterable) and not (is_array or known)
