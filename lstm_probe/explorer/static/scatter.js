// A dot for each unit in a square from 0 to 1, or for each eigenvalue or state in a plane.

import { line, sized } from "./canvas.js";
import { el } from "./dom.js";
import { short } from "./format.js";
import { FONT } from "./panel.js";
import { colours, inked } from "./theme.js";
import { roundTicks } from "./ticks.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

const MARGIN = { left: 40, right: 12, top: 28, bottom: 36 };
const NEAR = 10;
/** Dots that are closer than this, in pixels, are told as one with a number. */
const SAME = 4;
const MOST_NAMED = 8;

export class Scatter {
  constructor(label, height = 278) {
    this.height = height;
    this.canvas = el("canvas", { role: "img", "aria-label": label });
    this.element = el("div", { class: "heat" }, this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => this.#leave());
    this.canvas.addEventListener("click", (event) => {
      const unit = this.#nearest(event);
      if (unit !== null) this.options.pick?.(unit);
    });
  }

  /**
   * @param options `{xs, ys, colour, chosen, xLabel, yLabel, text(unit), pick(unit), plane, noun, lines, marks}`: with
   *   `plane`, both axes go from -plane to plane, around the unit circle; `noun` is what a dot stands for. Of
   *   `lines: [{points, colour, chosen}]`, without a circle, each leads from a ring to a dot, and the chosen ones have dots
   *   on their way. `marks: [[unit, text, below, colour]]` stand beside dots.
   */
  show(options) {
    this.options = options;
    this.draw();
  }

  draw(hovered = null) {
    if (!this.options) return;
    const width = this.element.clientWidth || 300;
    const context = sized(this.canvas, width, this.height);
    this.side = Math.min(width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom);
    this.#axes(context);
    const { xs, ys, colour, chosen } = this.options;
    context.fillStyle = inked(colour);
    context.globalAlpha = xs.length > 300 ? 0.35 : 0.6;
    if (!this.options.lines) for (let unit = 0; unit < xs.length; unit++) this.#dot(context, unit, 3.5);
    for (const each of this.options.lines ?? []) this.#line(context, each);
    context.globalAlpha = 1;
    this.groups = grouped(Array.from(xs, (_, unit) => this.#place(unit)), SAME);
    this.#texts(context, this.options.marks ?? (this.options.plane ? [] : [...new Set(this.groups)].filter(({ length }) => length > 1).map((units) => [units[0], units.length])));
    for (const unit of [chosen, hovered]) {
      if (unit === null || !(unit < ys.length)) continue;
      context.fillStyle = "#ffb300";
      this.#dot(context, unit, 5);
      context.strokeStyle = colours.text;
      context.stroke();
    }
  }

  #line(context, { points, colour, chosen }) {
    context.strokeStyle = context.fillStyle = inked(colour);
    context.globalAlpha = chosen ? 1 : 0.45;
    context.lineWidth = chosen ? 2 : 1;
    context.beginPath();
    points.forEach((unit, k) => context[k ? "lineTo" : "moveTo"](...this.#place(unit)));
    context.stroke();
    if (chosen) for (const unit of points) this.#dot(context, unit, 2);
    this.#dot(context, points.at(-1), chosen ? 5 : 3);
    context.fillStyle = colours.panel;
    this.#dot(context, points[0], chosen ? 5 : 3);
    context.stroke();
    context.lineWidth = 1;
  }

  /** Beside dots: how many units each stands for, where there are several, or what it is. */
  #texts(context, marks) {
    context.font = FONT;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = colours.panel;
    for (const [unit, text, below = 0, colour = "text"] of marks) {
      const [x, y] = this.#place(unit);
      context.fillStyle = inked(colour);
      context.strokeText(text, x + 6, y - 5 + below);
      context.fillText(text, x + 6, y - 5 + below);
    }
    context.lineWidth = 1;
  }

  #axes(context) {
    const { side } = this;
    const [x0, y1] = [MARGIN.left, MARGIN.top + side];
    context.font = FONT;
    context.fillStyle = colours.muted;
    context.textBaseline = "alphabetic";
    if (this.options.plane) {
      this.#plane(context);
      return;
    }
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      line(context, x0, y1 - tick * side, x0 + (1 - tick) * side, y1 - tick * side, colours.faint);
      line(context, x0 + tick * side, y1, x0 + tick * side, y1 - (1 - tick) * side, colours.faint);
      if (tick % 0.5) continue;
      context.textAlign = "right";
      context.fillText(`${tick * 100} %`, x0 - 4, y1 - tick * side + 4);
      context.textAlign = tick ? "center" : "left"; // the other axis has its own 0 %
      context.fillText(`${tick * 100} %`, x0 + tick * side, y1 + 14);
    }
    // A unit cannot be shut and open at once: nothing lies beyond the diagonal.
    line(context, x0, MARGIN.top, x0 + side, y1, colours.line);
    line(context, x0, y1, x0 + side, y1, colours.line);
    line(context, x0, y1, x0, MARGIN.top, colours.line);
    context.textAlign = "left";
    context.fillText(this.options.xLabel, x0, y1 + 30);
    context.fillText(this.options.yLabel, x0 - 6, MARGIN.top - 16);
  }

  /** The axes of a plane, and the unit circle. */
  #plane(context) {
    const { plane, lines, xLabel, yLabel } = this.options;
    const half = this.side / 2;
    const [x, y] = [MARGIN.left + half, MARGIN.top + half];
    line(context, x - half, y, x + half, y, colours.faint);
    line(context, x, y - half, x, y + half, colours.faint);
    for (const tick of lines ? roundTicks(-plane, plane, 3) : [-1, 0, 1]) {
      context.textAlign = "right";
      context.fillText(short(tick), x - half - 4, y - (tick / plane) * half + 4);
      context.textAlign = "center";
      context.fillText(short(tick), x + (tick / plane) * half, y + half + 14);
    }
    context.strokeStyle = colours.line;
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    if (!lines) {
      context.strokeStyle = colours.muted;
      context.beginPath();
      context.arc(x, y, half / plane, 0, 2 * Math.PI);
      context.stroke();
    }
    context.textAlign = "left";
    context.fillText(xLabel, x - half, y + half + 30);
    context.fillText(yLabel, x - half, MARGIN.top - 12);
  }

  #place(unit) {
    const { xs, ys, plane } = this.options;
    if (plane) return [MARGIN.left + ((xs[unit] / plane + 1) / 2) * this.side, MARGIN.top + ((1 - ys[unit] / plane) / 2) * this.side];
    return [MARGIN.left + xs[unit] * this.side, MARGIN.top + (1 - ys[unit]) * this.side];
  }

  #dot(context, unit, radius) {
    const [x, y] = this.#place(unit);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }

  #nearest(event) {
    if (!this.options) return null;
    const box = this.canvas.getBoundingClientRect();
    let [best, distance] = [null, NEAR];
    for (let unit = 0; unit < this.options.xs.length; unit++) {
      const [x, y] = this.#place(unit);
      const away = Math.hypot(x - event.clientX + box.left, y - event.clientY + box.top);
      if (away < distance) [best, distance] = [unit, away];
    }
    return best;
  }

  #hover(event) {
    const unit = this.#nearest(event);
    this.draw(unit);
    this.canvas.style.cursor = unit === null || !this.options.pick ? "default" : "pointer";
    if (unit === null) hideTooltip();
    else showTooltip(event, ...[...this.options.text(unit), ...this.#others(unit)].map((each, index) => el(index ? "div" : "strong", {}, each)));
  }

  /** Who else is at the place of a unit, in words. */
  #others(unit) {
    const others = this.groups[unit].filter((each) => each !== unit);
    if (!others.length) return [];
    if (this.options.noun) return [`${others.length} more ${this.options.noun}${others.length > 1 ? "s" : ""} at the same place`];
    const named = others.slice(0, MOST_NAMED).join(", ");
    return [`at the same place: unit${others.length > 1 ? "s" : ""} ${named}${others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : ""}`];
  }

  #leave() {
    hideTooltip();
    this.draw();
  }
}

/**
 * For each place the indices of all that coincide with it.
 *
 * @param places pairs of pixels; `size`: those within one square of this size count as the same.
 */
export function grouped(places, size) {
  const groups = new Map();
  return places.map(([x, y], index) => {
    const key = `${Math.round(x / size)},${Math.round(y / size)}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(index);
    return groups.get(key);
  });
}
