"""What every gate is an activation of: the weighted sums `x W + h U + b`, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Sums", "Weighted", "multiplied_inputs", "product_with_state", "weighted_sums"]

#: Several steps are prepared at once, but no more than so many values of gates, and so many steps.
_BLOCK, _LONGEST = 2**16, 32
#: Up to so many weights of the input, multiplying them again at each step, together with those
#: of the state, is cheaper than one more call of NumPy.
_FEW = 2**14
#: For no more than so many rows it is not worth while to keep a kernel that had to be converted:
#: each stretch of it is used while it lies in the processor's cache.
_FEW_ROWS = 32


@dataclass(frozen=True, eq=False)
class Weighted:
    """Weights, and how the recurrence wants them: what it would do at every step is done once.

    Attributes:
        kernel: `(input, gates, units)`, of the dtype of the computation or narrower.
        recurrent_kernel: `(output, gates, units)`, likewise.
        bias: `(gates, units)`, of the dtype of the computation.
        slopes: what each gate's sum is to be multiplied by.
        offsets: what is to be added to it after that.
        times: what the recurrence holds in place of `h`: a multiple of it.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array
    slopes: Sequence[float]
    offsets: Sequence[float]
    times: float = 1.0

    def prepared_bias(self) -> Array:
        """`(gates, units)`."""
        bias = np.asarray(self.bias * self._factors())
        return bias + np.array(self.offsets, bias.dtype)[:, None] if any(self.offsets) else bias

    def scale_inputs(self, inputs: Array, out: Array) -> None:
        """Write inputs that were multiplied by the kernel, or the kernel itself, to
        `(..., gates, units)`."""
        _scale(inputs, self._factors(), out)

    def scale_recurrent_kernel(self, out: Array) -> None:
        """Write the recurrent kernel, or its first gates, to `(output, gates, units)`."""
        _scale(self.recurrent_kernel, self._factors(self.times), out)

    def _factors(self, divided_by: float = 1.0) -> Array:
        """The slopes, `(gates, units)`."""
        slopes = tuple(slope / divided_by for slope in self.slopes)
        return _by_unit(slopes, self.bias.shape[1], self.bias.dtype)


@lru_cache(maxsize=32)
def _by_unit(factors: tuple[float, ...], units: int, dtype: np.dtype[Any]) -> Array:
    """`(gates, units)`, not to be written to."""
    array = np.array(factors, dtype).repeat(units).reshape(-1, units)
    array.setflags(write=False)
    return array


class Sums(NamedTuple):
    """How to get the sums of each step.

    Attributes:
        hidden: `(time + 1, batch * output)`, where the recurrence is to write each step's hidden
            state (or a multiple of it); the first is the initial one.
        operands: what is to be handed to `at_step` at each step.
        at_step: takes the operand, and the array `(gates * batch * units,)` of the step's sums.
    """

    hidden: Array
    operands: Iterable[Array]
    at_step: Callable[[Array, Array], object]


def weighted_sums(x: Array, weights: Weighted, h: Array, out: Array) -> Sums:
    """Prepare the sums of all steps.

    One sequence with few inputs has `[h | x | 1]` in one row of memory, and one product gives the
    sums. Otherwise the inputs of a stretch of steps are multiplied at once, when the first of
    its operands is asked for.

    Args:
        x: `(time, batch, input)`.
        weights: of the cell.
        h: `(batch, output)`, the initial hidden state.
        out: `(time, gates, batch * units)`, where the sums will be; or of a `stretch` only, which
            is then written over with each.

    Example:
        >>> w, u, b = np.ones((2, 1, 3)), np.ones((3, 1, 3)), np.ones((1, 3))
        >>> weights, out = Weighted(w, u, b, [1], [0]), np.empty((1, 1, 3))
        >>> sums = weighted_sums(np.ones((1, 1, 2)), weights, np.ones((1, 3)), out)
        >>> for operand, step in zip(sums.operands, out.reshape(1, 3)):
        ...     _ = sums.at_step(operand, step)
        >>> out.ravel().tolist()
        [6.0, 6.0, 6.0]
    """
    if x.shape[1] == 1 and weights.kernel.size <= _FEW:
        return _in_one_product(x[:, 0], weights, h)
    hidden = np.empty((len(x) + 1, *h.shape), x.dtype)
    np.multiply(h, weights.times, hidden[0])

    def operands() -> Iterator[Array]:
        for block in multiplied_inputs(x, weights, out):
            yield from hidden[block]

    if len(x) == 1 and _is_nothing(h, weights.recurrent_kernel):
        return Sums(hidden.reshape(2, -1), operands(), lambda h, sums: sums)
    multiply, product = product_with_state(weights, x.shape[1])

    def at_step(h: Array, sums: Array) -> None:
        multiply(h)
        np.add(sums, product, sums)

    return Sums(hidden.reshape(len(x) + 1, -1), operands(), at_step)


def stretch(time: int, size: int) -> int:
    """How many steps are prepared at once, so that they still lie in the processor's cache when
    their turn comes.

    Args:
        time: how many there are.
        size: the number of values of all gates of a step.
    """
    return min(time, _LONGEST, max(1, _BLOCK // size))


def multiplied_inputs(x: Array, weights: Weighted, out: Array) -> Iterator[slice]:
    """Write `x W + b` to `out`, both as in `weighted_sums`: a stretch of time whenever the next
    is asked for, which is what is returned."""
    time, batch, features = x.shape
    _, gates, units = weights.kernel.shape
    kernel, bias = weights.kernel.reshape(features, gates * units), weights.prepared_bias()
    multiply = _multiplier(kernel, time * batch, x.dtype)
    sums, length = out.reshape(len(out), -1, batch, units), stretch(len(out), batch * gates * units)
    for start in range(0, time, length):
        block = slice(start, min(start + length, time))
        place = slice(start % len(out), start % len(out) + block.stop - start)
        rows = x[block].reshape((block.stop - start) * batch, features)
        inputs = multiply(rows).reshape(-1, batch, gates, units)
        weights.scale_inputs(inputs, sums[place].swapaxes(1, 2))
        sums[place] += bias[:, None]
        yield block


def _multiplier(kernel: Array, count: int, dtype: np.dtype[Any]) -> Callable[[Array], Array]:
    """What multiplies `(rows, input)` of a dtype with a kernel of that or of a narrower one.

    Args:
        kernel: `(input, size)`.
        count: how many rows there will be in all.
        dtype: of the rows.
    """
    if kernel.dtype == dtype or count > _FEW_ROWS:
        whole = kernel.astype(dtype, copy=False)
        return lambda rows: rows @ whole
    length = max(1, _BLOCK // kernel.shape[1])

    def by_stretches(rows: Array) -> Array:
        total = np.zeros((len(rows), kernel.shape[1]), dtype)
        for start in range(0, len(kernel), length):
            stretch = slice(start, start + length)
            total += rows[:, stretch] @ kernel[stretch].astype(dtype)
        return total

    return by_stretches


def product_with_state(
    weights: Weighted, batch: int, served: int | None = None
) -> tuple[Callable[[Array], object], Array]:
    """The product of a hidden state with the recurrent kernels of several gates.

    Args:
        weights: of the cell.
        batch: the number of sequences.
        served: for how many gates, the first ones; all by default.

    Returns:
        What takes the hidden state `(batch, output)`, and the array `(gates * batch * units,)`
        that it writes the product to.

    Example:
        >>> w, u, b = np.ones((2, 2, 3)), np.ones((3, 2, 3)), np.ones((2, 3))
        >>> multiply, product = product_with_state(Weighted(w, u, b, [1, 1], [0, 0]), 1)
        >>> _ = multiply(np.ones((1, 3)))
        >>> product.tolist()
        [3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    """
    output, _, units = weights.recurrent_kernel.shape
    gates, dtype = served or len(weights.slopes), weights.bias.dtype
    if batch == 1:  # a vector: one product for all gates, by the quickest of NumPy's functions
        kernel = np.empty((output, gates, units), dtype)
        weights.scale_recurrent_kernel(kernel)
        matrix, product = kernel.reshape(output, gates * units), np.empty((1, gates * units), dtype)
        return lambda h: h.dot(matrix, product), product.reshape(-1)
    # One for each gate: BLAS is faster with matrices while they are small.
    kernels = np.empty((gates, output, units), dtype)
    weights.scale_recurrent_kernel(kernels.swapaxes(0, 1))
    products = np.empty((gates, batch, units), dtype)
    return lambda h: np.matmul(h, kernels, products), products.reshape(-1)


def _is_nothing(h: Array, kernel: Array) -> bool:
    """Whether their product is 0: nothing has been remembered yet, and nothing is NaN."""
    return not h.any() and bool(np.isfinite(kernel).all())


def _in_one_product(x: Array, weights: Weighted, h: Array) -> Sums:
    (features, output), gates = (x.shape[1], h.shape[1]), len(weights.slopes)
    kernel = np.empty((output + features + 1, gates, weights.kernel.shape[2]), x.dtype)
    weights.scale_recurrent_kernel(kernel[:output])
    weights.scale_inputs(weights.kernel, kernel[output:-1])
    kernel[-1] = weights.prepared_bias()
    rows = np.empty((len(x) + 1, len(kernel)), x.dtype)
    np.multiply(h, weights.times, rows[:1, :output])
    rows[:-1, output:-1] = x
    rows[:, -1] = 1
    matrix = kernel.reshape(len(kernel), -1)
    return Sums(rows[:, :output], rows, matrix.T.dot)  # of NumPy's ways to call it the quickest


def _scale(array: Array, factors: Array, out: Array) -> None:
    """Gates `(..., gates, units)`, or the first of them, each times factors of its own."""
    *_, gates, units = out.shape
    if out.flags.c_contiguous and array.flags.c_contiguous and array.shape == out.shape:
        flat = *out.shape[:-2], gates * units  # in long rows, which is quicker
        array, out, factors = array.reshape(flat), out.reshape(flat), factors.reshape(-1)
    else:
        array, factors = array[..., :gates, :], factors[:gates]
    if array.dtype != out.dtype:
        np.copyto(out, array)  # quicker than to convert while multiplying
        array = out
    np.multiply(array, factors, out)
