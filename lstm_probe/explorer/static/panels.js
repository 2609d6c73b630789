// Which panels stand in the grid: for each layer and gate a picture, with its scale and its labels.

import { DIVERGING } from "./colour.js";
import { clip } from "./format.js";
import { differenceRaster, gateRaster, largestDifference } from "./raster.js";
import { gateScale, linear } from "./scale.js";

const LONGEST_LABEL = 12;

export class Panels {
  constructor(app) {
    this.app = app;
    this.rasters = new Map();
  }

  /** A section for each layer. Pictures that are still the same are not made again. */
  build() {
    const seen = new Set();
    const sections = this.app.frames.map((frame) => this.#section(frame, seen));
    // Pictures that are no longer shown would add up with every step.
    for (const key of this.rasters.keys()) if (!seen.has(key)) this.rasters.delete(key);
    return sections;
  }

  /** The room that the labels of timesteps need below a panel. */
  get labelRoom() {
    const captures = this.app.frames.flatMap(({ a, b }) => (this.app.state.compare ? [a, b] : [a]));
    const longest = captures.map((capture) => capture?.longestLabel ?? null).filter((length) => length !== null);
    if (!longest.length) return 16;
    return Math.max(...longest.map((length) => (isUpright(length) ? 12 + 6 * Math.min(LONGEST_LABEL, length) : 18)));
  }

  #section(frame, seen) {
    const title = `${frame.layer}${frame.a?.meta.reverse ? "  ← reads backwards" : ""}`;
    if (!frame.a) return { title, fixed: 1, panels: [{ title: frame.layer, raster: null, message: frame.error ?? "…" }] };
    const { compare } = this.app.state;
    const most = Math.max(...this.app.frames.map((each) => each.a?.letters.length ?? 0));
    const order = this.app.orderFor(frame);
    const panels = frame.a.letters.flatMap((letter) => (compare ? this.#compared(frame, letter, order, seen) : [this.#panel(frame, "a", letter, order, seen)]));
    return { title, panels, fixed: compare ? 3 : this.app.frames.length > 1 ? most : null };
  }

  #panel(frame, side, letter, order, seen) {
    const { state } = this.app;
    const capture = frame[side];
    const scale = gateScale(state, letter, this.#sharing(frame, side));
    const sequence = Math.min(state.sequence, capture.batch - 1);
    const key = [side, frame.layer, frame[`${side}Run`], capture.step, letter, sequence, state.map, scale.key, order.join()].join("|");
    const raster = this.#once(key, seen, () => gateRaster(capture, letter, sequence, order, state.map, scale));
    const units = capture.unitIndices(letter);
    const rows = order.length === units.length ? order : units.map((_, index) => index);
    return {
      frame,
      side,
      letter,
      capture,
      sequence,
      raster,
      scale,
      order: rows,
      title: capture.title(letter),
      rows: (row) => String(units[rows[row]]),
      columns: columnLabels(capture, sequence),
      masked: capture.mask ? (t) => !capture.counts(sequence, t) : null,
    };
  }

  /** The captures whose values set the colours: both sides of a comparison. */
  #sharing(frame, side) {
    return this.app.state.compare && frame.a && frame.b ? [frame.a, frame.b] : [frame[side]];
  }

  #compared(frame, letter, order, seen) {
    const one = this.#panel(frame, "a", letter, order, seen);
    one.title = `A  ${one.title}`;
    const missing = (text) => ({ title: text, raster: null, message: frame.errorB ?? "…" });
    if (!frame.b) return [one, missing("B"), missing("B − A")];
    if (!frame.b.gates.has(letter)) {
      const text = `B is a ${frame.b.meta.cell || "cell"} without this gate.`;
      return [one, { title: "B", raster: null, message: text }, { title: "B − A", raster: null, message: "No difference without a B." }];
    }
    const other = this.#panel(frame, "b", letter, order, seen);
    other.title = `B  ${other.title}`;
    return [one, other, this.#difference(frame, letter, one, order, seen)];
  }

  #difference(frame, letter, one, order, seen) {
    const { a, b } = frame;
    const title = `B − A  ${letter}`;
    const fits = a.time === b.time && a.width(letter) === b.width(letter) && one.sequence < b.batch;
    if (!fits) return { title, raster: null, message: `No difference of ${a.width(letter)} units × ${a.time} steps and ${b.width(letter)} × ${b.time}.` };
    const map = DIVERGING.has(this.app.state.map) ? this.app.state.map : "PuOr";
    const largest = largestDifference(a, b, letter, one.sequence) || 1e-3;
    const scale = linear(-largest, largest);
    const key = ["difference", frame.layer, frame.aRun, frame.bRun, a.step, b.step, letter, one.sequence, map, order.join()].join("|");
    const raster = this.#once(key, seen, () => differenceRaster(a, b, letter, one.sequence, order, map, scale));
    // Where the two sides read other words, a column has no word for both.
    const columns = a.sameLabels(b, one.sequence) ? one.columns : columnNumbers(a);
    return { ...one, title, raster, scale, map, columns };
  }

  #once(key, seen, make) {
    seen.add(key);
    if (!this.rasters.has(key)) this.rasters.set(key, make());
    return this.rasters.get(key);
  }
}

function columnNumbers(capture) {
  return { width: 22, upright: false, text: (t) => String(capture.timesteps[t]) };
}

function columnLabels(capture, sequence) {
  const longest = capture.longestLabel;
  if (longest === null) return columnNumbers(capture);
  return { width: 20, upright: isUpright(longest), text: (t) => clip(capture.label(sequence, t) ?? "", LONGEST_LABEL) };
}

function isUpright(length) {
  return length > 3;
}
