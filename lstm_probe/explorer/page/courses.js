// How something changed over the training, read from a layer's captures: what `explorer/series.py`
// computes where there is a server. A report cannot hold the course of every cell, so its page
// computes the one that is asked for.

import { HALF } from "./half.js";
import { packed } from "./packing.js";

const MOST_STEPS = 400;

/** At most 400 of some steps, evenly spaced, the first and the last among them. */
export function spread(steps) {
  const last = steps.length - 1;
  if (last < MOST_STEPS) return steps;
  return Array.from({ length: MOST_STEPS }, (_, k) => steps[Math.round((k * last) / (MOST_STEPS - 1))]);
}

/**
 * All gates of one cell over the training, as a safetensors file.
 *
 * @param captures an iterable of `[step, Capture]`, which may be asynchronous.
 * @param cell `{sequence, timestep, unit}`, as original indices.
 * @returns null if no capture holds the cell; else its header says in which `precision` all of the
 *   numbers were stored, and half of the largest step of each gate that the report keeps in bytes.
 */
export async function seriesOf(captures, { sequence, timestep, unit }, meta) {
  const steps = [];
  const gates = new Map();
  const quanta = {};
  let precision = "float32";
  for await (const [step, capture] of captures) {
    const [b, t] = [capture.sequences.indexOf(sequence), capture.timesteps.indexOf(timestep)];
    const units = new Map([...capture.gates.keys()].map((letter) => [letter, capture.unitIndices(letter).indexOf(unit)]));
    if (b < 0 || t < 0 || [...units.values()].every((u) => u < 0)) continue;
    steps.push(step);
    if (capture.precision !== "float32") precision = "float16";
    for (const [letter, u] of units) {
      quanta[letter] = Math.max(quanta[letter] ?? 0, capture.quantum(`gates/${letter}`));
      // A projected h is narrower than the cell, so a unit may have gates and no h.
      gates.set(letter, [...(gates.get(letter) ?? []), u < 0 ? NaN : capture.value(letter, b, t, u)]);
    }
  }
  if (!steps.length) return null;
  const arrays = new Map([["steps", float64(steps)]]);
  for (const [letter, values] of gates) arrays.set(`gates/${letter}`, float32([values.length], values));
  return packed(arrays, { format: 1, ...meta, precision, quanta });
}

/**
 * One array of every capture, one row for each step, as a safetensors file.
 *
 * @param captures as for `seriesOf`.
 * @returns null if no capture has an array of this name with one axis.
 */
export async function historyOf(captures, name) {
  const rows = [];
  for await (const [step, { arrays }] of captures) {
    const array = arrays.get(name);
    if (array?.shape.length === 1) rows.push([step, valuesOf(array)]);
  }
  const width = Math.max(0, ...rows.map(([, row]) => row.length));
  // A layer may have been built anew, with another width.
  const kept = rows.filter(([, row]) => row.length === width);
  if (!kept.length || !width) return null;
  const arrays = new Map([
    ["steps", float64(kept.map(([step]) => step))],
    ["values", float32([kept.length, width], kept.flatMap(([, row]) => row))],
  ]);
  return packed(arrays, { format: 1, name });
}

function valuesOf({ dtype, data }) {
  return Array.from(data, dtype === "F16" ? (bits) => HALF[bits] : undefined);
}

function float64(values) {
  return { dtype: "F64", shape: [values.length], data: Float64Array.from(values) };
}

function float32(shape, values) {
  return { dtype: "F32", shape, data: Float32Array.from(values) };
}
