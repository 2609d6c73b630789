// What is being looked at: everything that a link has to say to reproduce the view.

import { MAPS } from "./colour.js";

export const VIEWS = ["gates", "parity", "saturation", "gradient", "memory", "weights", "probe", "computes"];
export const SORTS = ["index", "mean", "change", "|c|", "saturation", "horizon", "effect", "similarity"];

const DEFAULTS = Object.freeze({
  run: "",
  layers: [],
  step: null, // null: the newest, and go along with the training
  view: "gates",
  sequence: 0,
  unit: null,
  time: null,
  sort: "index",
  sortGate: "",
  sortStep: null,
  map: "RdBu",
  range: "fixed",
  low: 0,
  high: 1,
  zoom: [0, 1, 0, 1], // first and last timestep, first and last unit, as parts of all
  columns: 0, // 0: as fits
  compare: false,
  runB: "",
  stepB: null, // null: along with the other
});

export class State {
  #listeners = [];

  constructor(values = {}) {
    Object.assign(this, structuredClone(DEFAULTS), values);
  }

  /** Changes some values and tells everybody. */
  set(values) {
    Object.assign(this, values);
    for (const listener of this.#listeners) listener(values);
  }

  onchange(listener) {
    this.#listeners.push(listener);
  }

  /** What differs from the defaults, as parameters. */
  encode() {
    const parts = [];
    for (const [name, usual] of Object.entries(DEFAULTS)) {
      const value = this[name];
      if (JSON.stringify(value) === JSON.stringify(usual)) continue;
      const text = Array.isArray(value) ? value.map((item) => encodeURIComponent(rounded(item))).join(",") : rounded(value);
      parts.push(`${name}=${encodeURIComponent(text)}`);
    }
    return parts.join("&");
  }

  /** The values in a link; what makes no sense is left out. */
  static decode(text) {
    const values = {};
    for (const part of text.split("&")) {
      const [name, raw] = part.split("=");
      if (raw === undefined || !Object.hasOwn(DEFAULTS, name)) continue;
      const value = decoded(name, raw);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }
}

const NUMBERS = new Set(["step", "sequence", "unit", "time", "sortStep", "low", "high", "columns", "stepB"]);
const CHOICES = { view: VIEWS, sort: SORTS, map: MAPS, range: ["fixed", "data", "custom"] };

function decoded(name, raw) {
  try {
    const text = decodeURIComponent(raw);
    if (NUMBERS.has(name)) return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
    if (name === "compare") return text === "true";
    if (name === "layers") return text.split(",").map(decodeURIComponent).slice(0, 16);
    if (name === "zoom") return zoom(text.split(",").map(Number));
    if (CHOICES[name]) return CHOICES[name].includes(text) ? text : undefined;
    return text;
  } catch {
    return undefined; // a link that was cut off
  }
}

function zoom(numbers) {
  const inside = numbers.length === 4 && numbers.every((part) => part >= 0 && part <= 1);
  return inside && numbers[0] < numbers[1] && numbers[2] < numbers[3] ? numbers : undefined;
}

function rounded(value) {
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toFixed(5))) : String(value);
}
