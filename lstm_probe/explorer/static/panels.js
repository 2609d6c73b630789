// Which panels stand in the grid: for each layer and gate a picture, with its scale and its labels.

import { DIVERGING } from "./colour.js";
import { comparisonOf } from "./comparison.js";
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
    if (compare) return { title, ...this.#compared(frame, order, seen) };
    const panels = frame.a.letters.map((letter) => this.#panel(frame, "a", letter, order, seen));
    return { title, panels, fixed: this.app.frames.length > 1 ? most : null };
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

  /** A, B and their difference for each gate that both have; the page says elsewhere what is left out. */
  #compared(frame, order, seen) {
    if (!frame.b) {
      const missing = { title: "B", raster: null, message: frame.errorB ?? "…" };
      return { fixed: 2, panels: frame.a.letters.flatMap((letter) => [this.#side(frame, "a", letter, order, seen), missing]) };
    }
    const { letters, subtracts } = comparisonOf(frame.a, frame.b, this.app.state.sequence);
    if (!letters.length) return { fixed: 1, panels: [{ title: "A and B", raster: null, message: "They have no gate in common." }] };
    const fixed = letters.some(subtracts) ? 3 : 2;
    const panels = letters.flatMap((letter) => {
      const sides = ["a", "b"].map((side) => this.#side(frame, side, letter, order, seen));
      if (fixed === 2) return sides;
      return [...sides, subtracts(letter) ? this.#difference(frame, letter, sides[0], order, seen) : { title: `B − A  ${letter}`, raster: null, message: "Of other units." }];
    });
    return { fixed, panels };
  }

  #side(frame, side, letter, order, seen) {
    const panel = this.#panel(frame, side, letter, order, seen);
    return { ...panel, title: `${side.toUpperCase()}  ${panel.title}` };
  }

  #difference(frame, letter, one, order, seen) {
    const { a, b } = frame;
    const title = `B − A  ${letter}`;
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
