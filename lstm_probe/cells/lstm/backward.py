"""Back through the equations in `cells/lstm/cell.py`.

What does not depend on the gradient is multiplied together beforehand, for many timesteps at once
but not for all, which would take much memory; the loop is left with one matrix product and two
multiplications. A masked step hands the gradients on as they are.

What the gates multiply is worked out in float64, of which a saturated gate needs all: `1 - g * g`
is small. The gradients themselves are of the dtype of the seeds, which may be float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from lstm_probe.cells import ConvLstmCell, LstmCell
from lstm_probe.cells.shared.run import Run, Walk, along, by_kernel, transposed
from lstm_probe.cells.shared.slopes import Slopes
from lstm_probe.core.activations import get_activation
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import derivative_of_argument

__all__ = ["factors_of", "walk_lstm"]

#: So many products are kept at a time: two megabytes.
_BLOCK = 2**18


def walk_lstm(run: Run, cell: LstmCell, seeds: Mapping[str, Array]) -> Walk:
    """Take gradients back through a plain LSTM.

    Args:
        run: the sequence.
        cell: the cell of the run.
        seeds: by letter, as for `walk_back`, of the dtype of the recurrent kernel.
    """
    time = len(run.x)
    hidden, cells = (along(seeds[letter], time) for letter in "hc")
    _, targets, batch, units = hidden.shape
    flat, back = hidden.reshape(time, targets * batch, units), transposed(run.weights)
    seeded = time - len(seeds["h"])
    length = min(time, max(1, _BLOCK // (6 * targets * batch * units)))
    products = np.empty((length + 1, targets, batch, 6, units), hidden.dtype)
    # The products, as the gates and the states read them.
    changes = products.reshape(length + 1, targets * batch, 6 * units)[:, :, units : 5 * units]
    kept, masked = products[..., 0, :], run.mask is not None
    dot, add, multiply = np.dot, np.add, np.multiply
    for start in reversed(range(0, time, length)):
        part = run.stretch(start, start + length)
        factors, here = factors_of(part, cell, hidden.dtype), slice(start, start + len(part.x))
        products[len(part.x)] = products[0]  # those of the step after the stretch
        steps = zip(
            range(start, time),
            flat[here],
            hidden[here, :, :, None],
            cells[here],
            cells[here, :, :, None],
            factors[:, :, 4:],
            factors[:, :, :4],
            changes[1:],
            kept[1:],
            products[..., 4:, :],
            products[..., :4, :],
            products[..., 5, :],
            strict=False,
        )
        for step in reversed(list(steps)):
            t, h, h_column, c, c_column, to_h, to_c, after, kept_after, from_h, from_c, into_c = (
                step
            )
            if t < seeded:
                dot(after, back, h)
            elif t + 1 < time:  # the seeds are added to
                h += after @ back
                kept_after = add(c, kept_after)
            else:
                kept_after = c
            if masked and t + 1 < time:
                hidden[t] += np.where(run.mask[t + 1, :, None], 0.0, hidden[t + 1])  # type: ignore[index]
            multiply(h_column, to_h, from_h)
            add(kept_after, into_c, c)
            multiply(c_column, to_c, from_c)
    return Walk({"h": hidden, "c": cells}, partial(_by_inputs, run, cell, hidden, cells))


def _by_inputs(run: Run, cell: LstmCell, hidden: Array, cells: Array, target: int) -> Array:
    """`(time, batch, input)` out of the states' gradients: what lies between was not kept."""
    factors = factors_of(run, cell)
    changes = np.empty((*factors.shape[:2], 4, factors.shape[3]))
    np.multiply(cells[:, target, :, None], factors[:, :, 1:4], changes[:, :, :3])
    np.multiply(hidden[:, target], factors[:, :, 4], changes[:, :, 3])
    return by_kernel(changes[:, None], run.weights, 0)


def factors_of(run: Run, cell: LstmCell | ConvLstmCell, dtype: npt.DTypeLike = np.float64) -> Array:
    """`(time, batch, 6, units)`: by what the gradient of `c` is multiplied on its way to the `c`
    before and to `i`, `f`, `g`; and that of `h` on its way to `o` and to `c`."""
    i, f, g, o, c = (run.arrays[letter] for letter in "ifgoc")
    sigma, phi = cell.recurrent_activation, cell.activation
    slopes = Slopes(run)
    if phi == "tanh":
        shown = np.tanh(c)
        bend = 1 - np.square(shown)
    else:
        shown, bend = get_activation(phi)(c), derivative_of_argument(phi)(c)
    factors = np.empty((*f.shape[:2], 6, f.shape[2]), dtype)
    factors[:, :, 0] = f
    pairs = [
        (g, slopes("i", sigma)),
        (run.before("c"), slopes("f", sigma)),
        (i, slopes("g", phi)),
        (shown, slopes("o", sigma)),
        (o, bend),
    ]
    for place, (value, slope) in enumerate(pairs, start=1):
        np.multiply(value, slope, out=factors[:, :, place])
    if run.mask is not None:
        factors[~run.mask] = np.array([1.0, 0, 0, 0, 0, 0])[:, None]
    return factors
