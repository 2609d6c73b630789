"""How far rounding can take one step of a recurrence from the equations.

Running error analysis: alongside each value goes a bound of its error (Wilkinson 1986; Higham
2002, section 3.3). For a layer in float32 or float64, with unit roundoff `u` and sums of `n` terms,

    |error of a|   <=  u ((1 + sqrt(n)) sqrt(5.3 (x^2 W^2 + h^2 U^2) + 1.7 ((x W)^2 + (h U)^2))
                          + 2 |b|)

A sum rounds `n` times, each time by at most `u` of what it has come to. That is `|x W|` at the end
and grows like a straight line where the terms have one sign, and is about `sqrt(x^2 W^2)` where
they have not, or where one of them outweighs the others. The roundings are as good as independent,
so `n` of them add up like `sqrt(n)` (Higham & Mary 2019, "A new approach to probabilistic rounding
error analysis"): uniform in `-u..u`, their standard deviation is `u sqrt(n / 3)` of the latter and
`u sqrt(n) / 3` of the former; 5.3 and 1.7 are the squares of four of them. For float64 the bound is
twice that, because NumPy rounds too when it recomputes. Half precisions sum in float32 and round
what comes out:

    |error of a|   <=  1.5 u (|x W| + |h U| + |x W + h U| + |b|)

From there on, where `s` is a gate's activation and `phi` the other,

    |error of s(a)| <=  |s'(a)| |error of a| + K |error of a|^2 + own error of s
    |error of c'|  <=  |f| |error of c| + |c| |error of f| + |g| |error of i| + |i| |error of g|
                       + 3 u (|f c| + |i g|)
    |error of h'|  <=  |phi(c')| |error of o| + |o| |error of phi(c')| + u |h'|

`K` covers the curvature: half of the largest second derivative. Since every step starts from the
framework's own hidden state, nothing multiplies these bounds from step to step but the forget gate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.rounding_of_functions import activated, own_error
from lstm_probe.analysis.parity.teacher_forcing import Forced, force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import ConvLstmCell, GruCell, LstmCell
from lstm_probe.cells.single_steps import Steps, scan, sums
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

__all__ = ["LARGEST", "UNIT_ROUNDOFF", "round_to", "step_bound", "ulp"]

#: Half the distance from 1 to the next number, by dtype. TF32 is what tensor cores read.
UNIT_ROUNDOFF = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "tf32": 2.0**-11,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
#: The largest number, by dtype.
LARGEST = {"float64": 1.8e308, "float32": 3.4e38, "float16": 65504.0, "bfloat16": 3.4e38}
#: Smallest distance between two numbers: what underflow costs. TensorFlow flushes denormals.
_UNDERFLOW = {"float16": 2.0**-24}
_FLUSHED = 2.0**-126
#: Four standard deviations of a sum's error, squared, by roundoff, term and size: see above.
_SCATTERED, _COHERENT = 16 / 3, 16 / 9
#: How much larger than a sample of its own kind, of one unit at one step, a rounding error may be.
_SAMPLE_MARGIN = 16


def ulp(largest: float, dtype: str) -> float:
    """The unit in the last place of a number, in a layer's dtype.

    Example:
        >>> ulp(0.75, "float32") == 2.0**-24, ulp(1.0, "float32") == 2.0**-23
        (True, True)
    """
    _, exponent = np.frexp(max(largest, _FLUSHED))
    return float(np.ldexp(UNIT_ROUNDOFF[dtype], int(exponent)))


def round_to(array: Array, unit_roundoff: float, *, truncate: bool = False) -> Array:
    """Round to fewer binary digits, to the nearest or towards zero; the exponent has no limits.

    Example:
        >>> round_to(np.array([1 + 2.0**-9, 3.0]), UNIT_ROUNDOFF["bfloat16"]).tolist()
        [1.0, 3.0]
    """
    mantissa, exponent = np.frexp(array)
    scaled = mantissa / unit_roundoff
    digits = np.trunc(scaled) if truncate else np.rint(scaled)
    return np.ldexp(digits * unit_roundoff, exponent).astype(array.dtype)


def step_bound(snapshot: Snapshot, forced: Forced, dtype: str) -> Array:
    """The largest error that rounding to `dtype` explains, of each unit at each step.

    Args:
        snapshot: in reading order; its cell is known.
        forced: its steps.
        dtype: of the computation: a key of `UNIT_ROUNDOFF`.

    Returns:
        `(batch, time, units)`, positive; infinite where the values are not finite.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, simple_rnn, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=simple_rnn(x, w).h)
        >>> bound = step_bound(seen, force(seen), "float32")
        >>> bool((bound > 1e-7).all() and (bound < 1e-5).all())
        True
    """
    u, cell, steps = UNIT_ROUNDOFF[dtype], snapshot.cell, forced.steps
    with np.errstate(all="ignore"):
        if steps is None:
            bound = _sampled(snapshot, forced, u)
        elif isinstance(cell, LstmCell | ConvLstmCell):
            bound = steps.flat(_lstm(cell, snapshot, forced, steps, u))
        elif isinstance(cell, GruCell):
            bound = _gru(cell, snapshot, forced, steps, u)
        else:
            error = _of_sums(snapshot, forced, steps, u)[:, :, 0]
            bound = activated(cell.activation, steps.values["h"], error, u)  # type: ignore[union-attr]
        bound = bound + (_UNDERFLOW.get(dtype, _FLUSHED) + u * np.abs(forced.output))
    bound[np.isnan(bound)] = np.inf
    if snapshot.mask is not None:  # a masked step repeats an earlier one
        bound = np.maximum.accumulate(bound, axis=1)
    return bound


def _is_half(u: float) -> bool:
    return u > UNIT_ROUNDOFF["float32"]


def _of_sums(snapshot: Snapshot, forced: Forced, steps: Steps, u: float) -> Array:
    """The errors of what goes into the gates, `(batch, time, gates, *space, units)`."""
    weights = snapshot.weights
    assert isinstance(weights, GateWeights)
    biases = _biases(snapshot, steps)
    if _is_half(u):
        size = np.abs(steps.inputs) + np.abs(steps.hidden)
        size += np.abs(steps.inputs + steps.hidden)
        return 1.5 * u * (size + biases)
    size = _of_squares(snapshot, forced, np.float32)  # no need to be exact
    if not np.isfinite(size).all():
        size = _of_squares(snapshot, forced, np.float64)
    size *= _SCATTERED
    error = _COHERENT * np.square(steps.inputs)
    error += _COHERENT * np.square(steps.hidden)
    error += size
    np.sqrt(error, out=error)
    error *= 1 + np.sqrt(weights.kernel[..., 0, 0].size + weights.recurrent_kernel[..., 0, 0].size)
    error += 2 * biases
    error *= u if u > UNIT_ROUNDOFF["float64"] else 2 * u
    return error


def _of_squares(snapshot: Snapshot, forced: Forced, dtype: npt.DTypeLike) -> Array:
    """`x^2 W^2 + h^2 U^2`."""
    weights = snapshot.weights
    assert isinstance(weights, GateWeights)
    x, h, kernel, recurrent_kernel = (
        np.square(array.astype(dtype, copy=False))
        for array in (snapshot.x, forced.before["h"], weights.kernel, weights.recurrent_kernel)
    )
    squares = replace(weights, kernel=kernel, recurrent_kernel=recurrent_kernel)
    inputs, hidden = sums(snapshot.cell, squares, x, h)  # type: ignore[arg-type]
    inputs += hidden
    return inputs


def _biases(snapshot: Snapshot, steps: Steps) -> Array:
    """`|b|`, in a shape that fits those of the sums."""
    weights, cell = snapshot.weights, snapshot.cell
    assert isinstance(weights, GateWeights)
    total = np.zeros((len(weights.gates), weights.units), steps.inputs.dtype)
    for name in ("bias", "recurrent_bias"):
        bias = getattr(weights, name, None)
        if bias is not None:
            total += np.abs(bias)
    if isinstance(cell, LstmCell):
        total[weights.gates.index("f")] += 2 * abs(cell.forget_bias)
    space = steps.inputs.ndim - 4
    return total.reshape(len(total), *[1] * space, -1)


def _lstm(
    cell: LstmCell | ConvLstmCell, snapshot: Snapshot, forced: Forced, steps: Steps, u: float
) -> Array:
    weights = snapshot.weights
    assert isinstance(weights, GateWeights)
    assert steps.shown is not None
    a = _of_sums(snapshot, forced, steps, u)
    errors = {
        letter: activated(
            cell.activation if letter == "g" else cell.recurrent_activation,
            steps.values[letter],
            a[:, :, index],
            u,
        )
        for index, letter in enumerate(weights.gates)
    }
    i, f, g, o, c = (np.abs(steps.values[letter]) for letter in "ifgoc")
    before = np.abs(steps.cells_before)
    made = before * (errors["f"] + 3 * u * f) + g * (errors["i"] + 3 * u * i) + i * errors["g"]
    error = scan(np.zeros_like(made[:, 0]), f, made, snapshot.mask)[1:].swapaxes(0, 1)
    shown = activated(cell.activation, steps.shown, error + u * c, u)
    return np.abs(steps.shown) * errors["o"] + o * shown


def _gru(cell: GruCell, snapshot: Snapshot, forced: Forced, steps: Steps, u: float) -> Array:
    weights, h = snapshot.weights, forced.before["h"]
    assert isinstance(weights, GateWeights)
    z, r, g = (steps.values[letter] for letter in "zrg")
    a = _of_sums(snapshot, forced, steps, u)
    z_error, r_error = (
        activated(cell.recurrent_activation, gate, a[:, :, k], u) for k, gate in enumerate((z, r))
    )
    if cell._resets_after(weights):  # type: ignore[arg-type]
        product = np.abs(steps.hidden[:, :, 2])
        second = getattr(weights, "recurrent_bias", None)
        inner = r_error * (product if second is None else product + np.abs(second[2]))
    else:
        # The errors of the reset states are as good as independent, too.
        recurrent = np.square(weights.recurrent_kernel[:, 2], dtype=np.float64)
        inner = 2 * np.sqrt(np.square(h * (r_error + u * np.abs(r))) @ recurrent)
    g_error = activated(cell.activation, g, a[:, :, 2] + inner, u)
    kept = np.abs(h - g) * z_error + np.abs(1 - z) * g_error
    return np.asarray(kept + 3 * u * (np.abs(z * h) + np.abs((1 - z) * g)) + u * np.abs(g))


def _sampled(snapshot: Snapshot, forced: Forced, u: float) -> Array:
    """For cells with more than the plain equations: the errors of float32, scaled to `u`.

    One step's errors are linear in `u`. The largest over all units, sequences and steps so far is
    a sample of many, so a margin covers what another order of summation makes of it.
    """
    single = force(snapshot, dtype=np.float32)
    assert single is not None
    error = np.abs(forced.output - single.output)
    largest = np.maximum.accumulate(np.nanmax(error, axis=(0, 2), initial=0.0))
    scale = _SAMPLE_MARGIN * u / UNIT_ROUNDOFF["float32"]
    return scale * largest[:, None] + own_error("", forced.output, u)
