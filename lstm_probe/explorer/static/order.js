// In which order the units stand.

import { HALF } from "./half.js";

/**
 * Positions of the units, first to last; null if the capture cannot be sorted that way.
 *
 * @param first the layer's first capture, against which "change" is measured; null if it is not here.
 * @param effects how much each unit matters, by unit; null if nobody has measured it.
 */
export function orderOf(capture, kind, letter, sequence, first = null, effects = null) {
  const gate = capture.gates.has(letter) ? letter : defaultGate(capture);
  const width = capture.units;
  const positions = Int32Array.from({ length: width }, (_, u) => u);
  if (kind === "index" || capture.width(gate) !== width) return positions;
  if (kind === "similarity") return similar(capture, gate, sequence);
  const keys = keysBy(capture, kind, gate, sequence, first, effects);
  if (!keys) return null;
  const rank = (u) => (Number.isNaN(keys[u]) ? Infinity : keys[u]);
  return positions.sort((a, b) => (rank(b) === rank(a) ? a - b : rank(b) > rank(a) ? 1 : -1));
}

/** The order of the units of one frame, taken at the step at which it was chosen. */
export function frameOrder(reference, state, first = null, effects = null) {
  const letter = state.sortGate || defaultGate(reference);
  const sequence = Math.min(state.sequence, reference.batch - 1);
  return orderOf(reference, state.sort, letter, sequence, first, effects) ?? orderOf(reference, "index", letter, sequence);
}

/** What the units are sorted by unless somebody says otherwise: the gate that keeps the past. */
export function defaultGate(capture) {
  return ["f", "z"].find((letter) => capture.gates.has(letter)) ?? capture.letters[0];
}

function keysBy(capture, kind, gate, sequence, first, effects) {
  if (kind === "change") return changes(capture, first, gate, sequence);
  if (kind === "effect") return effects && Float64Array.from(capture.unitIndices(gate), (unit) => effects.get(unit) ?? -1);
  return keysOf(capture, kind, gate, sequence);
}

function keysOf(capture, kind, gate, sequence) {
  const units = capture.unitIndices(gate);
  if (kind === "mean") return means(capture, gate, sequence);
  if (kind === "|c|") return capture.gates.has("c") ? means(capture, "c", sequence, Math.abs) : null;
  if (kind === "horizon") {
    const horizon = capture.vector("horizon");
    return horizon ? Float64Array.from(units, (u) => horizon[u] ?? NaN) : null;
  }
  const [low, high] = ["low", "high"].map((end) => capture.vector(`saturated_${end}/${gate}`));
  return low && high ? Float64Array.from(units, (u) => low[u] + high[u]) : null;
}

/** How far each unit’s gate has moved since the first capture: the root mean square over the timesteps. */
function changes(capture, first, gate, sequence) {
  const fits = first?.gates.has(gate) && first.width(gate) === capture.units && first.time === capture.time && sequence < first.batch;
  if (!fits) return null;
  const sums = new Float64Array(capture.units);
  const [now, before] = [capture, first].map((each) => each.gates.get(gate).data);
  for (let t = 0; t < capture.time; t++) {
    if (!capture.counts(sequence, t)) continue;
    const start = capture.offset(gate, sequence, t, 0);
    for (let u = 0; u < capture.units; u++) sums[u] += (HALF[now[start + u]] - HALF[before[start + u]]) ** 2;
  }
  return sums;
}

function means(capture, gate, sequence, of = (value) => value) {
  const sums = new Float64Array(capture.units);
  const { data } = capture.gates.get(gate);
  for (let t = 0; t < capture.time; t++) {
    if (!capture.counts(sequence, t)) continue;
    const start = capture.offset(gate, sequence, t, 0);
    for (let u = 0; u < capture.units; u++) sums[u] += of(HALF[data[start + u]]);
  }
  return sums;
}

/** A chain that begins with the first unit: each is followed by the one most like it, by their correlation over time. */
function similar(capture, gate, sequence) {
  const curves = centred(capture, gate, sequence);
  const left = new Set(curves.keys());
  const chain = [];
  let current = 0;
  while (left.size) {
    left.delete(current);
    chain.push(current);
    let best = -Infinity;
    let next = -1;
    for (const other of left) {
      let product = 0;
      for (let t = 0; t < curves[current].length; t++) product += curves[current][t] * curves[other][t];
      if (product > best || next < 0) [best, next] = [product, other];
    }
    current = next;
  }
  return Int32Array.from(chain);
}

function centred(capture, gate, sequence) {
  const stride = Math.max(1, Math.ceil(capture.time / 128));
  const times = [];
  for (let t = 0; t < capture.time; t += stride) if (capture.counts(sequence, t)) times.push(t);
  return Array.from({ length: capture.units }, (_, u) => {
    const curve = Float32Array.from(times, (t) => capture.value(gate, sequence, t, u) || 0);
    const mean = curve.reduce((sum, value) => sum + value, 0) / (curve.length || 1);
    const size = Math.sqrt(curve.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
    return curve.map((value) => (value - mean) / size);
  });
}
