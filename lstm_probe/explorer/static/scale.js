// From values to parts of a colour map.

import { HALF } from "./half.js";
import { short } from "./format.js";

/** Values from `low` to `high`. */
export function linear(low, high) {
  const width = high - low || 1;
  return { key: `linear ${low} ${high}`, part: (value) => (value - low) / width, ticks: [short(low), short(high)] };
}

/** Values without bounds: the middle is spread, and no step, layer or run needs another range. */
export const TANH = { key: "tanh", part: (value) => (Math.tanh(value) + 1) / 2, ticks: ["−∞", "∞"] };

/** Decimal logarithms of positive values. */
export function logarithmic(low, high) {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const width = to - from || 1;
  return {
    key: `log ${low} ${high}`,
    part: (value) => (value <= 0 ? 0 : (Math.log10(value) - from) / width),
    ticks: [short(low), short(high)],
  };
}

/** The scale of a gate: of its possible values, of the values shown, or as the reader says. */
export function gateScale(state, letter, captures) {
  if (state.range === "custom" && state.low < state.high) return linear(state.low, state.high);
  const range = captures[0].range(letter);
  if (state.range === "data") return ofValues(letter, captures, range);
  return range ? linear(...range) : TANH;
}

function ofValues(letter, captures, range) {
  let low = Infinity;
  let high = -Infinity;
  for (const capture of captures) {
    const gate = capture.gates.get(letter);
    if (!gate) continue;
    for (const bits of gate.data) {
      const value = HALF[bits];
      if (value < low && value > -Infinity) low = value;
      if (value > high && value < Infinity) high = value;
    }
  }
  if (low > high) return linear(0, 1);
  // Where zero is the middle it stays there.
  if (!range || range[0] === -range[1]) {
    const size = Math.max(Math.abs(low), Math.abs(high)) || 1;
    return linear(-size, size);
  }
  return low === high ? linear(low - 0.5, high + 0.5) : linear(low, high);
}
