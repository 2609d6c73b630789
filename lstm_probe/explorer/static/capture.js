// One layer at one step: what a stored capture says, checked and with names.

import { parsed } from "./format.js";
import { HALF } from "./half.js";
import { DamagedError, readSafetensors } from "./safetensors.js";

const LONGEST_NAME = 80;

export class Capture {
  constructor(buffer) {
    const { arrays, meta } = readSafetensors(buffer);
    this.bytes = buffer.byteLength;
    this.arrays = arrays;
    this.meta = meta;
    this.gates = new Map();
    for (const [name, array] of arrays) {
      if (name.startsWith("gates/")) this.gates.set(name.slice(6), this.#cube(array));
    }
    const named = Array.isArray(meta.letters) ? meta.letters.filter((letter) => this.gates.has(letter)) : [];
    this.letters = [...new Set([...named, ...this.gates.keys()])];
    if (!this.letters.length) throw new DamagedError("This capture is damaged: it holds no gates.");
    const first = this.gates.get(this.letters[0]);
    [this.batch, this.time, this.units] = first.shape;
    for (const { shape } of this.gates.values()) {
      if (shape[0] !== this.batch || shape[1] !== this.time) throw new DamagedError("This capture is damaged: its gates differ in length.");
    }
    this.timesteps = this.#indices("timesteps", this.time);
    this.sequences = this.#indices("sequences", this.batch);
    const mask = arrays.get("mask");
    this.mask = mask?.dtype === "U8" && mask.data.length === this.batch * this.time ? mask.data : null;
    this.scale = parsed(meta.error_scale) ?? 1;
    const error = arrays.get("error/h");
    const h = this.gates.get("h");
    this.error = h && error?.dtype === "F16" && error.data.length === h.data.length ? error.data : null;
    this.labels = Array.isArray(meta.labels) ? meta.labels.map((label) => String(label).slice(0, LONGEST_NAME)) : null;
  }

  #cube(array) {
    if (array.dtype !== "F16" || array.shape.length !== 3) throw new DamagedError("This capture is damaged: a gate has no (batch, time, units).");
    return array;
  }

  #indices(name, length) {
    const array = this.arrays.get(name);
    if (array?.dtype === "I32" && array.data.length === length) return array.data;
    return Int32Array.from({ length }, (_, index) => index);
  }

  get step() {
    return this.meta.step;
  }

  get parity() {
    const parity = this.meta.parity;
    return parity && typeof parity === "object" ? parity : null;
  }

  title(letter) {
    const text = this.meta.titles?.[letter];
    return typeof text === "string" ? text.slice(0, LONGEST_NAME) : letter;
  }

  /** The closed interval of a gate's values; null if they are not bounded. */
  range(letter) {
    const range = this.meta.ranges?.[letter];
    const bounded = Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] < range[1];
    return bounded ? range : null;
  }

  width(letter) {
    return this.gates.get(letter).shape[2];
  }

  /** The original index of each stored unit; a projected h has units of its own. */
  unitIndices(letter = this.letters[0]) {
    const own = letter === "h" && this.arrays.has("units/h") ? "units/h" : "units";
    return this.#indices(own, this.width(letter));
  }

  /** The offset of a sequence, timestep and unit (positions among the stored ones) in a gate. */
  offset(letter, sequence, t, u) {
    const width = this.width(letter);
    return (sequence * this.time + t) * width + u;
  }

  value(letter, sequence, t, u) {
    if (u < 0 || u >= this.width(letter)) return null;
    return HALF[this.gates.get(letter).data[this.offset(letter, sequence, t, u)]];
  }

  /** Framework minus NumPy; null where nothing was recomputed. */
  errorAt(sequence, t, u) {
    if (!this.error || u >= this.width("h")) return null;
    return HALF[this.error[this.offset("h", sequence, t, u)]] * this.scale;
  }

  counts(sequence, t) {
    return !this.mask || this.mask[sequence * this.time + t] === 1;
  }

  label(t) {
    return this.labels?.[this.timesteps[t]] ?? null;
  }

  /** An array with one axis, such as `horizon`; null if there is none. */
  vector(name) {
    const array = this.arrays.get(name);
    return array?.dtype === "F32" && array.shape.length === 1 ? array.data : null;
  }
}

/** Where an original index is among those that were stored; the nearest if it was not. */
export function position(indices, index) {
  let low = 0;
  let high = indices.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (indices[middle] < index) low = middle + 1;
    else high = middle;
  }
  return low > 0 && index - indices[low - 1] < indices[low] - index ? low - 1 : low;
}
