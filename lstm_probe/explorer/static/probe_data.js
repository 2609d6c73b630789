// The probe's own data: what the model reads, on the time axis of a layer where it has one, and what it
// is to give. The bytes come from a log, so every shape is checked before it is used.

import { DamagedError, readSafetensors } from "./safetensors.js";

const TYPES = ["I32", "F32"];
const LONGEST_NAME = 40;

/** Inputs and targets of a run's probe. */
export class ProbeData {
  constructor(buffer) {
    const { arrays, meta } = readSafetensors(buffer);
    this.sequences = Number.isInteger(meta.sequences) ? meta.sequences : null;
    this.inputs = described(meta.inputs).map((each, number) => new Input(arrays, each, number));
    this.targets = described(meta.targets).map((each, number) => new Target(arrays, each, number));
  }

  /** The inputs that stand on the time axis of a capture's layer. */
  inputsOf(capture) {
    const [batch, time] = capture.meta.shape ?? [capture.batch, capture.time];
    return this.inputs.filter((input) => input.belongsTo(batch, time));
  }
}

/** One input, `(sequence, timestep, feature)`. */
class Input {
  constructor(arrays, { name, shape }, number) {
    const { dtype, shape: stored, data } = numbers(arrays, `inputs/${number}`, 3);
    this.name = name;
    this.shape = shape;
    [this.batch, this.time, this.width] = stored;
    this.data = data;
    this.isWhole = dtype === "I32";
    [this.sequences, this.timesteps, this.features] = ["sequences", "timesteps", "features"].map((axis, index) => indices(arrays, `inputs/${number}/${axis}`, stored[index]));
  }

  /** The number of timesteps that the model reads; of those only some may be stored. */
  get length() {
    return this.shape[1] ?? 1;
  }

  /**
   * Whether its timesteps are those of a layer. A sequence of vectors may be of another length, as
   * before a convolution: it is stretched. Two axes alone are timesteps only if there are as many.
   */
  belongsTo(batch, time) {
    if (this.shape[0] !== batch || this.shape.length < 2 || this.length < 2) return false;
    return this.length === time || this.shape.length > 2;
  }

  /** Whether it is the numbers of words or other tokens. */
  get isTokens() {
    return this.isWhole && this.width === 1;
  }

  value(sequence, t, feature) {
    return this.data[(sequence * this.time + t) * this.width + feature];
  }

  /** The smallest and the largest finite number of all sequences, so that they can be compared. */
  get extent() {
    this.#extent ??= extent(this.data);
    return this.#extent;
  }

  #extent = null;
}

/** One target: some numbers for each sequence. */
class Target {
  constructor(arrays, { name, shape }, number) {
    const { dtype, shape: stored, data } = numbers(arrays, `targets/${number}`, 2);
    this.name = name;
    this.shape = shape.slice(1); // of one sequence
    [this.count, this.width] = stored;
    this.data = data;
    this.isWhole = dtype === "I32" || data.every(Number.isInteger);
    const sequences = indices(arrays, `targets/${number}/sequences`, this.count);
    this.rows = new Map(Array.from(sequences, (original, row) => [original, row]));
  }

  /** A number of a sequence; null where none is stored. */
  value(sequence, index) {
    const row = this.rows.get(sequence);
    return row !== undefined && index < this.width ? this.data[row * this.width + index] : null;
  }
}

/** What stands for a run whose log holds no data of its probe. */
export const NO_DATA = Object.freeze({ sequences: null, inputs: [], targets: [], inputsOf: () => [] });

export function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}

function described(list) {
  if (!Array.isArray(list)) return [];
  return list.map((each) => {
    if (!Array.isArray(each?.shape) || !each.shape.every(Number.isInteger)) damaged("a shape");
    return { name: String(each.name ?? "").slice(0, LONGEST_NAME), shape: each.shape };
  });
}

function numbers(arrays, name, axes) {
  const array = arrays.get(name);
  if (!array || !TYPES.includes(array.dtype) || array.shape.length !== axes) damaged(name);
  return array;
}

function indices(arrays, name, length) {
  const array = arrays.get(name);
  return array?.dtype === "I32" && array.data.length === length ? array.data : Int32Array.from({ length }, (_, index) => index);
}

function damaged(what) {
  throw new DamagedError(`The probe's data is damaged: the log holds something else in its place (${what}).`);
}
