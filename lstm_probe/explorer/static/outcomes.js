// What the model gives for each sequence of the probe, beside what it is to give: classes, which are
// right or wrong, or numbers.

import { number } from "./format.js";
import { mean } from "./groups.js";
import { extent } from "./probe_data.js";

/** More different whole numbers than this are no classes, where no output tells. */
const MOST_CLASSES = 50;
/** A class that is not known. Shorter sequences are filled up with it, or with NaN. */
const UNKNOWN = -1;
const TARGET = { value: () => null, count: 0, width: 0, shape: [], isWhole: false, name: "" };

/**
 * The outputs of a capture, each with its target: that of its name, or of its place. Targets without
 * an output are told too, as of a log that holds no outputs.
 *
 * @param capture the capture of a layer that reads the probe's sequences.
 * @param probe the probe's data.
 */
export function outcomesOf(capture, probe) {
  const outputs = capture.outputs;
  const [batch] = capture.meta.shape ?? [capture.batch];
  if (probe.sequences !== null && probe.sequences !== batch) return [];
  if (!outputs.length) return probe.targets.map((target) => new Outcome(capture, null, target));
  return outputs.map((output, index) => {
    const single = outputs.length === 1 && probe.targets.length === 1;
    const named = probe.targets.find((target) => target.name === output.name);
    return new Outcome(capture, output, (single ? probe.targets[0] : named) ?? probe.targets[index] ?? null);
  });
}

/** A few characters that say how a sequence went: `7 ✓`, or `7, gives 2 ✗`; empty where nothing is known. */
export function markOf(outcomes, sequence) {
  const found = outcomes.find((outcome) => outcome.right(sequence) !== null);
  if (!found) return "";
  const right = found.right(sequence);
  if (found.steps !== null) return `${Math.round(100 * right)} % right`;
  const target = found.targetAt(sequence);
  return right ? `${target} ✓` : `${target}, gives ${found.givenAt(sequence).value} ✗`;
}

/** One output and its target. Sequences are given by their positions among the stored ones. */
export class Outcome {
  constructor(capture, output, target) {
    this.capture = capture;
    this.output = output;
    this.target = target ?? TARGET;
    this.name = output?.name || this.target.name;
    const shape = output?.shape ?? this.target.shape;
    /** How many timesteps have an outcome of their own; null where a sequence has one. */
    this.steps = output ? (shape.length > 1 ? shape[0] : null) : shape.length > 1 || (shape.length === 1 && this.target.width === capture.meta.shape?.[1]) ? shape[0] : null;
    this.width = output ? output.width / (this.steps ?? 1) : 1;
    this.kind = this.#kind();
    this.threshold = this.kind === "binary" ? (this.#isLogit() ? 0 : 0.5) : null;
  }

  get hasTarget() {
    return this.target.count > 0;
  }

  get isClass() {
    return this.kind !== "values";
  }

  /** What is to be given: a class or a number; null where nothing is. */
  targetAt(sequence, step = 0) {
    const original = this.capture.sequences[sequence];
    if (this.kind === "one-hot") {
      const found = largest(this.width, (index) => this.target.value(original, step * this.width + index));
      return found?.value > 0 ? found.index : null;
    }
    const value = this.target.value(original, this.#perStep ? step : 0);
    return value === null || Number.isNaN(value) || (this.isClass && value < 0) ? null : value;
  }

  /** What the model gives: `{value, score}`, a class with its number, or a number; null where nothing is stored. */
  givenAt(sequence, step = 0) {
    if (!this.output?.has(sequence)) return null;
    const at = (index) => this.output.value(sequence, step * this.width + index);
    if (this.kind === "binary") return { value: Number.isNaN(at(0)) ? NaN : at(0) > this.threshold ? 1 : 0, score: at(0) };
    if (this.kind === "values") return { value: at(0), score: null };
    const found = largest(this.width, at);
    return found ? { value: found.index, score: found.value } : { value: NaN, score: NaN };
  }

  /** Whether the class is the right one; null where that is no question. */
  rightAt(sequence, step = 0) {
    const [target, given] = [this.targetAt(sequence, step), this.givenAt(sequence, step)];
    return this.isClass && target !== null && given ? given.value === target : null;
  }

  /** Of a sequence: whether it is right, or how many of its steps are; null where that is no question. */
  right(sequence) {
    const found = Array.from({ length: this.steps ?? 1 }, (_, step) => this.rightAt(sequence, step)).filter((each) => each !== null);
    return found.length ? found.filter(Boolean).length / found.length : null;
  }

  /** How far the numbers of a sequence are from their targets, on average; null where that is no question. */
  error(sequence) {
    if (this.isClass || !this.output?.has(sequence) || this.target.width !== this.output.width) return null;
    const original = this.capture.sequences[sequence];
    const found = mean(Array.from({ length: this.output.width }, (_, index) => Math.abs((this.target.value(original, index) ?? NaN) - this.output.value(sequence, index))));
    return Number.isNaN(found) ? null : found;
  }

  /** `target 7, gives 2 (0.61), wrong`, or `target 7, gives 6.5, off by 0.5`, of a whole sequence. */
  text(sequence) {
    const right = this.right(sequence);
    const off = this.error(sequence) === null ? "" : number(this.error(sequence), 3);
    if (this.steps !== null) return right !== null ? `${Math.round(100 * right)} % of the steps right` : off && `off by ${off} on average`;
    return [["target", this.targetText(sequence)], ["gives", this.givenText(sequence)], ["off by", off], ["", right === null ? "" : right ? "right" : "wrong"]].flatMap(([head, text]) => (text ? `${head} ${text}`.trim() : [])).join(", ");
  }

  targetText(sequence) {
    if (this.kind === "values") return some(Math.min(this.target.width, this.target.count ? Infinity : 0), (index) => this.target.value(this.capture.sequences[sequence], index));
    const target = this.targetAt(sequence);
    return target === null ? "" : String(target);
  }

  givenText(sequence) {
    const given = this.givenAt(sequence);
    if (!given) return "";
    if (this.kind === "values") return some(this.width, (index) => this.output.value(sequence, index));
    return Number.isNaN(given.value) ? "NaN" : `${given.value} (${number(given.score, 2)})`;
  }

  /** How a class is found, in words, where that is not plain. */
  get rule() {
    if (this.kind !== "binary") return "";
    return this.threshold === 0 ? "The output has left 0 … 1: it is a logit, and above 0 it is taken for 1." : "The output has never left 0 … 1: it is a probability, and above 0.5 it is taken for 1.";
  }

  get #perStep() {
    return this.steps !== null && this.target.width === this.steps;
  }

  #kind() {
    const { target, steps } = this;
    if (!this.output) return this.hasTarget && target.isWhole && target.width === (steps ?? 1) && classes(target.data) ? "class" : "values";
    const count = steps ?? 1;
    // A single output for all steps of a target, or the other way round, is no pair.
    const alike = target.width === count || target.width === count * this.width;
    if (!this.hasTarget) return this.width > 1 && areProbabilities(this.output, this.width) ? "class" : "values";
    const known = alike ? knownOf(target, steps) : [];
    const all = (fits) => known.every((row) => row.every(fits));
    if (!alike || !all(Number.isInteger)) return "values";
    if (this.width === 1) return all((value) => value === 0 || value === 1) ? "binary" : "values";
    if (target.width === count) return all((value) => value < this.width) ? "class" : "values";
    return known.every((row) => isOneHot(row, this.width)) ? "one-hot" : "values";
  }

  /** Whether a single output is no probability. The log has its range at all captures so far. */
  #isLogit() {
    const [low, high] = this.output.range ?? extent(this.output.data);
    return low < 0 || high > 1;
  }
}

function largest(width, at) {
  let found = null;
  for (let index = 0; index < width; index++) {
    const value = at(index);
    if (value !== null && !Number.isNaN(value) && (found === null || value > found.value)) found = { index, value };
  }
  return found;
}

function classes(values) {
  return new Set(values).size <= MOST_CLASSES;
}

function areProbabilities({ data }, width) {
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width);
    if (!row.every((value) => value >= 0 && value <= 1) || Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) > 1e-3) return false;
  }
  return true;
}

/** The numbers of each sequence, without the last steps with which shorter ones were filled up. */
function knownOf({ data, count, width }, steps) {
  const each = width / (steps ?? 1);
  return Array.from({ length: count }, (_, sequence) => {
    let row = data.subarray(sequence * width, (sequence + 1) * width);
    while (steps > 1 && row.length && row.subarray(-each).every((value) => Number.isNaN(value) || value === UNKNOWN)) row = row.subarray(0, -each);
    return row;
  });
}

function isOneHot(data, width) {
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width);
    if (!row.every((value) => value === 0 || value === 1) || row.reduce((sum, value) => sum + value, 0) !== 1) return false;
  }
  return true;
}

/** The first three of some numbers. */
function some(count, value) {
  const shown = Array.from({ length: Math.min(3, count) }, (_, index) => value(index)).filter((each) => each !== null);
  return shown.map((each) => (Number.isInteger(each) ? String(each) : number(each, 3))).join(", ") + (count > 3 ? ", …" : "");
}
