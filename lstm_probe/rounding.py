"""How far rounding can take one step of a recurrence from the equations.

Running error analysis: alongside each value goes a bound of its error (Wilkinson 1986; Higham
2002, section 3.3). With unit roundoff `u` and products of `n` terms,

    |error of a|   <=  gamma (|x| |W| + |h| |U| + |b|),   gamma = (4 + sqrt(n)) u
    |error of s(a)| <=  |s'(a)| |error of a| + |error of a|^2 + 16 u max(1, |s(a)|)
                        and never more than the steepest slope allows
    |error of c'|  <=  |f| |error of c| + |c| |error of f| + |g| |error of i| + |i| |error of g|
                       + 3 u (|f c| + |i g|)
    |error of h'|  <=  |phi(c')| |error of o| + |o| |error of phi(c')| + u |h'|

The norms bound the inner products (Cauchy-Schwarz). `sqrt(n)` in place of the worst case `n` is
the probabilistic bound, which an error exceeds with vanishing probability (Higham & Mary 2019,
"A new approach to probabilistic rounding error analysis"); for a float64 layer gamma is twice
that, because NumPy rounds too when it recomputes it. `|error of a|^2` covers the curvature, because
no second derivative of a sigmoid or tanh exceeds 1; `16 u` covers the functions themselves:
TensorFlow's tanh is off by up to 5 u. Since every step starts from the framework's own hidden
state, nothing multiplies these bounds from step to step but the forget gate.
"""

from __future__ import annotations

import numpy as np

from lstm_probe.activations import ActivationLike, get_activation
from lstm_probe.arrays import Array
from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.lstm_variants import is_variant
from lstm_probe.derivatives import COUPLED
from lstm_probe.forced import Forced, force
from lstm_probe.snapshot import Snapshot
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
_FUNCTION_ERROR = 16
_ROUNDED_RESULT = 8
#: TensorFlow keeps the constants of these in float32 even in a float64 layer: measured 4e-8.
_CONSTANTS_IN_FLOAT32 = frozenset({"gelu", "leaky_relu"})
#: How much larger than a sample of its own kind, of one unit at one step, a rounding error may be.
_SAMPLE_MARGIN = 16
_GRID = np.linspace(-12.0, 12.0, 2401)


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
    """The largest error that rounding explains, of each value that the layer has shown.

    Args:
        snapshot: in reading order.
        forced: its steps in float64, as `force` returns them.
        dtype: the precision, one of `UNIT_ROUNDOFF`.

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
    u, cell, weights = UNIT_ROUNDOFF[dtype], snapshot.cell, snapshot.weights
    with np.errstate(all="ignore"):
        if isinstance(cell, LstmCell) and not is_variant(cell, weights):  # type: ignore[arg-type]
            bound = _lstm(cell, snapshot, forced, u)
        elif isinstance(cell, GruCell):
            bound = _gru(cell, snapshot, forced, u)
        elif isinstance(cell, SimpleRnnCell):
            error = _PreActivations(snapshot, forced, u).errors(None)[..., 0, :]
            bound = _activated(cell.activation, forced.arrays["h"], error, u)
        else:
            bound = _sampled(snapshot, forced, u)
        bound += _UNDERFLOW.get(dtype, _FLUSHED) + u * np.abs(forced.output)
    bound[np.isnan(bound)] = np.inf
    if snapshot.mask is not None:  # a masked step repeats an earlier one
        bound = np.maximum.accumulate(bound, axis=1)
    return bound


class _PreActivations:
    """The errors of the sums that go into the gates, all steps at once."""

    def __init__(self, snapshot: Snapshot, forced: Forced, u: float) -> None:
        weights = snapshot.weights
        assert isinstance(weights, GateWeights)
        self.weights = weights
        exact = u > UNIT_ROUNDOFF["float64"]  # beside what float64 tells
        self.gamma = (
            (1 if exact else 2) * u * (4 + np.sqrt(weights.input_size + weights.output_size))
        )
        self.inputs = _norm(snapshot.x)[..., None, None] * _norm(weights.kernel, axis=0)
        if weights.bias is not None:
            self.inputs += np.abs(weights.bias)
        self.hidden = _norm(forced.before["h"])[..., None, None] * _norm(
            weights.recurrent_kernel, axis=0
        )

    def errors(self, recurrent_bias: Array | None) -> Array:
        """`(batch, time, gates, units)`."""
        size = self.inputs + self.hidden
        if recurrent_bias is not None:
            size += np.abs(recurrent_bias)
        return self.gamma * size


def _lstm(cell: LstmCell, snapshot: Snapshot, forced: Forced, u: float) -> Array:
    i, f, g, o, c = (np.abs(forced.arrays[letter]) for letter in "ifgoc")
    weights, before = snapshot.weights, np.abs(forced.before["c"])
    assert isinstance(weights, GateWeights)
    a = _PreActivations(snapshot, forced, u).errors(None)
    a[..., weights.gates.index("f"), :] += 4 * u * abs(cell.forget_bias)
    gate_errors = {
        letter: _activated(
            cell.activation if letter == "g" else cell.recurrent_activation,
            forced.arrays[letter],
            a[..., index, :],
            u,
        )
        for index, letter in enumerate(weights.gates)
    }
    made = before * gate_errors["f"] + g * gate_errors["i"] + i * gate_errors["g"]
    made += 3 * u * (f * before + i * g)
    errors, error = np.empty_like(made), np.zeros_like(made[:, 0])
    for t in range(made.shape[1]):
        new = f[:, t] * error + made[:, t]
        error = new if snapshot.mask is None else np.where(snapshot.mask[:, t, None], new, error)
        errors[:, t] = error
    phi = get_activation(cell.activation)(forced.arrays["c"])
    shown = _activated(cell.activation, phi, errors + u * c, u)
    return np.asarray(np.abs(phi) * gate_errors["o"] + o * shown)


def _gru(cell: GruCell, snapshot: Snapshot, forced: Forced, u: float) -> Array:
    z, r, g = (forced.arrays[letter] for letter in "zrg")
    weights, h = snapshot.weights, forced.before["h"]
    second = getattr(weights, "recurrent_bias", None)
    sums = _PreActivations(snapshot, forced, u)
    errors = sums.errors(second)
    z_error, r_error = (
        _activated(cell.recurrent_activation, gate, errors[..., k, :], u)
        for k, gate in enumerate((z, r))
    )
    if cell._resets_after(weights):  # type: ignore[arg-type]
        product = sums.hidden[..., 2, :] + (0 if second is None else np.abs(second[2]))
        inner = product * r_error
    else:
        norms = _norm(sums.weights.recurrent_kernel[:, 2], axis=0)
        inner = _norm(h * r_error)[..., None] * norms
    g_error = _activated(cell.activation, g, errors[..., 2, :] + inner, u)
    kept = np.abs(h - g) * z_error + np.abs(1 - z) * g_error
    return np.asarray(kept + 3 * u * (np.abs(z * h) + np.abs((1 - z) * g) + np.abs(g)))


def _activated(activation: ActivationLike, y: Array, error: Array, u: float) -> Array:
    """The error of an activation's value `y`, given that of its argument."""
    exact = isinstance(activation, str) and activation not in _CONSTANTS_IN_FLOAT32
    own = _function_error(u) * u
    own = own if exact else max(own, UNIT_ROUNDOFF["float32"])
    return np.asarray(_grown(activation, y, error) + own * np.maximum(1, np.abs(y)))


def _function_error(u: float) -> float:
    # Half precisions are computed in float32 and rounded.
    return _FUNCTION_ERROR if u <= UNIT_ROUNDOFF["float32"] else _ROUNDED_RESULT


def _grown(activation: ActivationLike, y: Array, error: Array) -> Array:
    """What an activation makes of its argument's error: never more than its steepest slope."""
    if activation == "sigmoid":
        return np.minimum(np.minimum(y * (1 - y) * error + np.square(error), error / 4), 1)
    if activation == "tanh":
        return np.minimum(np.minimum((1 - np.square(y)) * error + np.square(error), error), 2)
    if activation == "exponential":
        return np.asarray(np.abs(y) * np.expm1(error))
    if activation == "linear":
        return error
    if isinstance(activation, str) and activation in COUPLED:
        # Each value depends on all units: the errors of the arguments add up.
        return np.asarray(np.broadcast_to(error.sum(axis=-1, keepdims=True), error.shape))
    values = get_activation(activation)(_GRID)
    steepest = float(np.nanmax(np.abs(np.diff(values) / np.diff(_GRID)), initial=1.0))
    return np.asarray(steepest * error)


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
    own = 2 * _function_error(u) * u * np.maximum(1, np.abs(forced.output))
    return np.asarray(scale * largest[:, None] + own)


def _norm(array: Array, axis: int = -1) -> Array:
    return np.asarray(np.sqrt(np.square(array, dtype=np.float64).sum(axis=axis)))
