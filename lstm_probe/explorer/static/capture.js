// One layer at one step: what a stored capture says, checked and with names.

import { parsed } from "./format.js";
import { HALF, halfWithin } from "./half.js";
import { DamagedError, readSafetensors } from "./safetensors.js";

const LONGEST_NAME = 80;

export class Capture {
  #exact;
  #labels;
  #longest = null;

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
    this.#exact = new Map([...this.gates].map(([letter, { shape }]) => [letter, this.#float32(letter, shape)]).filter(([, data]) => data));
    this.#labels = this.#rows(meta.sequence_labels) ?? this.#shared(meta.labels);
    this.outputs = this.#outputs(meta.outputs);
    const names = meta.sequence_names;
    this.names = Array.isArray(names) && names.length === this.batch ? names.map(clipped) : null;
    this.groups = groupsIn(meta.groups, meta.shape?.[0]);
  }

  /** What a sequence is called: by its number, or by its named probe and the number in that, as `validation 3`. */
  called(sequence) {
    const { name = "", first = 0 } = this.#group(sequence) ?? {};
    return `${name} ${this.sequences[sequence] - first}`.trim();
  }

  titleOf(sequence) {
    const name = this.nameOf(sequence);
    return this.called(sequence) + (name ? ` “${name}”` : "");
  }

  nameOf(sequence) {
    const name = this.names?.[sequence];
    return name && name !== this.called(sequence) ? name : null;
  }

  /** The positions of the stored sequences of each named probe: `{name, sequences}`. */
  get probes() {
    const all = Array.from(this.sequences.keys());
    return this.groups.map((group) => ({ name: group.name, sequences: all.filter((b) => this.#group(b) === group) }));
  }

  #group(sequence) {
    return this.groups.findLast(({ first }) => this.sequences[sequence] >= first);
  }

  /** What the model gave for the stored sequences: `{name, shape, range, count, width, data, value}` each. */
  #outputs(told) {
    if (!Array.isArray(told)) return [];
    return told.flatMap((each, number) => {
      const array = this.arrays.get(`output/${number}`);
      if (array?.dtype !== "F32" || array.shape.length !== 2 || !Array.isArray(each?.shape) || !each.shape.every(Number.isInteger)) return [];
      const [count, width] = array.shape;
      // Of large outputs only some sequences are stored: the first ones, or those that the header names.
      const rows = new Map(Array.from({ length: count }, (_, row) => [Array.isArray(each.sequences) ? each.sequences[row] : row, row]));
      const range = Array.isArray(each.range) && each.range.every(Number.isFinite) ? each.range : null;
      return [{ name: clipped(each.name ?? ""), shape: each.shape, range, count, width, data: array.data, has: (sequence) => rows.has(sequence), value: (sequence, index) => array.data[rows.get(sequence) * width + index] ?? null }];
    });
  }

  /** A gate in float32, which a log holds beside float16 with detail="full"; null if it does not. */
  #float32(letter, shape) {
    const array = this.arrays.get(`float32/${letter}`);
    return array?.dtype === "F32" && array.shape.length === 3 && array.shape.every((size, axis) => size === shape[axis]) ? array.data : null;
  }

  /** For each stored sequence a label for each stored timestep. */
  #rows(rows) {
    const fit = Array.isArray(rows) && rows.length === this.batch && rows.every((row) => Array.isArray(row) && row.length === this.time);
    return fit ? rows.map((row) => row.map(clipped)) : null;
  }

  /** One list for all sequences, with a label for each original timestep. */
  #shared(labels) {
    if (!Array.isArray(labels)) return null;
    const row = Array.from(this.timesteps, (t) => clipped(labels[t] ?? ""));
    return Array.from({ length: this.batch }, () => row);
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
    return this.valueAt(letter, this.offset(letter, sequence, t, u));
  }

  /** A value of a gate as exactly as it is stored, by its offset. */
  valueAt(letter, at) {
    return this.#exact.get(letter)?.[at] ?? HALF[this.gates.get(letter).data[at]];
  }

  /** Whether a gate is held in float32. */
  isExact(letter) {
    return this.#exact.has(letter);
  }

  /** How far a value of a gate may be from the number that was captured: it was rounded to be stored. */
  within(letter, value) {
    if (value === null) return 0;
    if (this.#exact.has(letter)) return Math.abs(value) * 2 ** -24;
    return halfWithin(value) + this.quantum(`gates/${letter}`);
  }

  /** How far an error may be from the one that was captured. */
  errorWithin(error) {
    return this.scale * (halfWithin(error / this.scale) + this.quantum("error/h"));
  }

  /** Half of the step in which a report keeps an array in one byte a value; 0 where it is float16. */
  quantum(name) {
    const step = parsed(this.meta.quantised?.[name]?.[1]);
    return step > 0 ? step / 2 : 0;
  }

  /** The dtype in which all gates are held. */
  get precision() {
    return this.letters.every((letter) => this.#exact.has(letter)) ? "float32" : "float16";
  }

  /** Framework minus NumPy; null where nothing was recomputed. */
  errorAt(sequence, t, u) {
    if (!this.error || u >= this.width("h")) return null;
    return HALF[this.error[this.offset("h", sequence, t, u)]] * this.scale;
  }

  counts(sequence, t) {
    return !this.mask || this.mask[sequence * this.time + t] === 1;
  }

  /** The name of a timestep of a sequence; empty if it has none, null if no timestep has one. */
  label(sequence, t) {
    return this.#labels?.[sequence]?.[t] ?? null;
  }

  /** How many characters the longest label has, of whichever sequence; null if there are none. */
  get longestLabel() {
    if (!this.#labels) return null;
    const longer = (length, text) => Math.max(length, text.length);
    this.#longest ??= this.#labels.reduce((length, row) => row.reduce(longer, length), 0);
    return this.#longest;
  }

  /** Whether another capture has the same labels under one of its sequences. */
  sameLabels(other, sequence) {
    return JSON.stringify(this.#labels?.[sequence]) === JSON.stringify(other.#labels?.[sequence]);
  }

  /** An array with one axis, such as `horizon`; null if there is none. */
  vector(name) {
    const array = this.arrays.get(name);
    return array?.dtype === "F32" && array.shape.length === 1 ? array.data : null;
  }
}

/** The named probes of which the header lists `[name, count]`: `{name, first}`; none unless they make up the batch. */
function groupsIn(told, batch) {
  if (!Array.isArray(told) || !told.every((each) => Array.isArray(each) && each[1] > 0)) return [];
  let end = 0;
  const groups = told.map(([name, count]) => ({ name: clipped(name), first: (end += count) - count }));
  return end === batch ? groups : [];
}

function clipped(label) {
  return String(label).slice(0, LONGEST_NAME);
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
