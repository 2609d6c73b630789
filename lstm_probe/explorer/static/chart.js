// Line charts: several curves over one axis, with a readout under the pointer.

import { line, sized } from "./canvas.js";
import { SPECIAL } from "./colour.js";
import { el } from "./dom.js";
import { short } from "./format.js";
import { fitting, FONT } from "./panel.js";
import { shown } from "./readout.js";
import { colours, inked } from "./theme.js";
import { powerTicks, roundTicks } from "./ticks.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

const MARGIN = { left: 46, right: 10, top: 8, bottom: 32 };
const OWN_AXIS = 40;
const LINE = 14;
const TEXT_HEIGHT = 10;
const LEGEND_ROW = 18;
/** The length of the line beside a name. */
const SAMPLE = 18;
const DASHES = [[], [5, 3], [2, 2], [7, 2, 2, 2], [9, 4], []];

/**
 * @param options `{label, height, xLabel, yLabel, xs, series: [{name, values, colour, dash, dots, apart, within(value)}],
 *   log, low, high, at, lines: [{y, text}], gaps(i), names(i), pick(i), counted}`; a colour is as for `inked`.
 */
export class Chart {
  constructor(label, height = 150) {
    this.height = height;
    this.canvas = el("canvas", { class: "chart", role: "img", "aria-label": label });
    this.element = el("figure", { class: "chart-box" }, this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => this.#leave());
    this.canvas.addEventListener("click", (event) => {
      const index = this.#nearest(event);
      if (index !== null && this.options.pick) this.options.pick(index);
    });
  }

  show(options) {
    this.options = options;
    this.canvas.classList.toggle("pickable", Boolean(options.pick));
    this.draw();
  }

  draw(hovered = null) {
    if (!this.options) return;
    const width = this.element.clientWidth || 300;
    const context = sized(this.canvas, width, this.height);
    const room = width - MARGIN.left - MARGIN.right;
    const legend = this.options.legend ? legendOf(context, this.options.series.map(({ name }) => name), room) : null;
    const top = MARGIN.top + (legend ? legend.rows * LEGEND_ROW : 0);
    this.box = { x: MARGIN.left, y: top, width: width - MARGIN.left - (this.options.series.some((each) => each.apart) ? OWN_AXIS : MARGIN.right), height: this.height - top - MARGIN.bottom + (this.options.xLabel ? 0 : LINE) };
    this.#extent();
    this.#grid(context);
    if (legend) this.#legend(context, legend.places);
    context.save();
    context.beginPath();
    context.rect(this.box.x - 3, this.box.y - 3, this.box.width + 6, this.box.height + 6);
    context.clip();
    this.#shades(context);
    this.options.series.forEach((series, index) => this.#curve(context, series, index));
    this.#marks(context, hovered);
    context.restore();
    this.#lines(context);
  }

  #extent() {
    const { xs, series, log, gaps, lines = [] } = this.options;
    this.own = null;
    this.x0 = xs[0] ?? 0;
    this.x1 = xs.at(-1) ?? 1;
    if (this.x0 === this.x1) [this.x0, this.x1] = [this.x0 - 0.5, this.x1 + 0.5];
    let low = Infinity;
    let high = -Infinity;
    const take = (value) => {
      if (!Number.isFinite(value) || (log && value <= 0)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    const apart = series.find((each) => each.apart);
    for (const each of series) if (each !== apart) each.values.forEach((value, i) => gaps?.(i) || take(value));
    if (apart) this.own = { colour: apart.colour, ...extent(apart.values) };
    for (const { y } of lines) take(y);
    if (low > high) [low, high] = log ? [0.1, 10] : [0, 1];
    // A range that holds all values is kept to: what is a part of something is never below 0.
    const [least, most] = [low, high];
    if (this.options.low <= least) low = this.options.low;
    if (this.options.high >= most) high = this.options.high;
    if (log) [low, high] = [10 ** (Math.log10(low) - 0.1), 10 ** (Math.log10(high) + 0.1)];
    else if (low === high) [low, high] = [low - 0.5, high + 0.5];
    else [low, high] = [low - (high - low) * 0.04, high + (high - low) * 0.04];
    this.low = this.options.low <= least ? this.options.low : low;
    this.high = this.options.high >= most ? this.options.high : high;
  }

  px(x) {
    return this.box.x + ((x - this.x0) / (this.x1 - this.x0)) * this.box.width;
  }

  py(y, series = null) {
    if (series?.apart) return this.box.y + (1 - (y - this.own.low) / (this.own.high - this.own.low)) * this.box.height;
    const part = this.options.log ? Math.log10(y / this.low) / Math.log10(this.high / this.low) : (y - this.low) / (this.high - this.low);
    return this.box.y + (1 - part) * this.box.height;
  }

  #grid(context) {
    const { box } = this;
    const { log, xLabel } = this.options;
    context.font = FONT;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const count = Math.max(2, Math.floor(box.height / 34));
    for (const tick of log ? powerTicks(this.low, this.high, count) : roundTicks(this.low, this.high, count)) {
      const y = Math.round(this.py(tick)) + 0.5;
      if (y < box.y - 1 || y > box.y + box.height + 1) continue;
      line(context, box.x, y, box.x + box.width, y, colours.faint);
      context.fillStyle = colours.muted;
      context.fillText(short(tick), box.x - 5, y);
    }
    if (this.own) this.#ownAxis(context, count);
    context.fillStyle = colours.muted;
    context.textBaseline = "alphabetic";
    context.textAlign = "center";
    const ticks = roundTicks(this.x0, this.x1, Math.max(2, Math.floor(box.width / 60)));
    for (const tick of ticks) {
      if (this.options.counted && !Number.isInteger(tick)) continue;
      context.fillText(short(tick), this.px(tick), box.y + box.height + 13);
    }
    if (xLabel) context.fillText(xLabel, box.x + box.width / 2, box.y + box.height + 27);
    line(context, box.x, box.y + box.height + 0.5, box.x + box.width, box.y + box.height + 0.5, colours.line);
  }

  /** Horizontal lines with their names, above the shades; a name without room above its line stands below. */
  #lines(context) {
    const { box } = this;
    for (const { y, text } of this.options.lines ?? []) {
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      line(context, box.x, this.py(y), box.x + box.width, this.py(y), colours.muted);
      context.setLineDash([]);
      context.textAlign = "right";
      context.fillStyle = colours.muted;
      const above = this.py(y) - 4;
      context.fillText(text, box.x + box.width - 2, above < TEXT_HEIGHT ? above + 16 : above);
    }
  }

  #ownAxis(context, count) {
    const { low, high, colour } = this.own;
    context.textAlign = "left";
    context.fillStyle = inked(colour);
    for (const tick of roundTicks(low, high, count)) context.fillText(short(tick), this.box.x + this.box.width + 4, this.py(tick, { apart: true }));
  }

  #legend(context, places) {
    context.font = FONT;
    context.textAlign = "left";
    this.options.series.forEach((series, index) => {
      const { row, text } = places[index];
      const [x, y] = [this.box.x + places[index].x, 10 + row * LEGEND_ROW];
      context.lineWidth = 2;
      context.setLineDash(series.dash ?? DASHES[index % DASHES.length]);
      line(context, x, y, x + SAMPLE, y, inked(series.colour));
      context.setLineDash([]);
      context.fillStyle = colours.muted;
      context.fillText(text, x + SAMPLE + 5, y + 4);
    });
  }

  /** Masked steps: no curve, but a shade. */
  #shades(context) {
    const { xs, gaps } = this.options;
    if (!gaps) return;
    context.fillStyle = colours.faint;
    const half = xs.length > 1 ? (this.px(xs[1]) - this.px(xs[0])) / 2 : 4;
    xs.forEach((x, index) => gaps(index) && context.fillRect(this.px(x) - half, this.box.y, 2 * half + 0.5, this.box.height));
  }

  #curve(context, series, index) {
    const { xs, gaps, log } = this.options;
    context.strokeStyle = inked(series.colour);
    context.fillStyle = inked(series.colour);
    context.lineWidth = series.width ?? 1.5;
    context.setLineDash(series.dash ?? DASHES[index % DASHES.length]);
    context.beginPath();
    let drawing = false;
    xs.forEach((x, i) => {
      const value = series.values[i];
      if (!Number.isFinite(value) || (log && value <= 0) || gaps?.(i)) {
        drawing = false;
        return;
      }
      const [px, py] = [this.px(x), this.py(value, series)];
      if (series.dots) context.rect(px - 2, py - 2, 4, 4);
      else if (drawing) context.lineTo(px, py);
      else context.moveTo(px, py);
      // A point without neighbours would not show.
      if (!series.dots && !drawing && !Number.isFinite(series.values[i + 1])) context.rect(px - 1.5, py - 1.5, 3, 3);
      drawing = true;
    });
    if (series.dots) context.fill();
    else context.stroke();
    context.setLineDash([]);
    if (this.options.special) this.#specials(context, series);
  }

  /** NaN and infinity have no place on an axis: they are marked at its end. */
  #specials(context, { values }) {
    const { xs, gaps } = this.options;
    context.fillStyle = SPECIAL;
    xs.forEach((x, i) => {
      if (!Number.isFinite(values[i]) && values[i] !== null && !gaps?.(i)) context.fillRect(this.px(x) - 2.5, this.box.y - 3, 5, 5);
    });
  }

  #marks(context, hovered) {
    const { at, xs, series } = this.options;
    if (at !== null && at !== undefined && at >= this.x0 && at <= this.x1) {
      line(context, this.px(at), this.box.y, this.px(at), this.box.y + this.box.height, colours.cross);
    }
    if (hovered === null) return;
    context.setLineDash([2, 2]);
    line(context, this.px(xs[hovered]), this.box.y, this.px(xs[hovered]), this.box.y + this.box.height, colours.muted);
    context.setLineDash([]);
    for (const each of series) {
      if (!Number.isFinite(each.values[hovered])) continue;
      context.fillStyle = inked(each.colour);
      context.beginPath();
      context.arc(this.px(xs[hovered]), this.py(each.values[hovered], each), 3, 0, 2 * Math.PI);
      context.fill();
    }
  }

  #nearest(event) {
    const { xs } = this.options ?? {};
    if (!xs?.length) return null;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    let best = 0;
    xs.forEach((each, index) => {
      if (Math.abs(this.px(each) - x) < Math.abs(this.px(xs[best]) - x)) best = index;
    });
    return best;
  }

  #hover(event) {
    const index = this.#nearest(event);
    if (index === null) return;
    this.draw(index);
    const { series, names, xs, xLabel } = this.options;
    const rows = series.map(({ name, values, colour, within }) => {
      const swatch = el("span", { class: "swatch" });
      swatch.style.background = inked(colour);
      return el("tr", {}, el("td", {}, swatch), el("td", { class: "name" }, name), el("td", { class: "value" }, shown({ value: values[index], within: within?.(values[index]) ?? 0 })));
    });
    showTooltip(event, el("strong", {}, names ? names(index) : `${xLabel} ${xs[index]}`), el("table", {}, el("tbody", {}, rows)));
  }

  #leave() {
    hideTooltip();
    this.draw();
  }
}

/**
 * Where the names of a legend stand: as many rows as it takes; a name without room is cut off.
 *
 * @returns `{rows, places: [{row, x, text}]}`, in pixels from the left of the chart's box.
 */
export function legendOf(context, names, room) {
  context.font = FONT;
  let [row, x] = [0, 0];
  const places = names.map((name) => {
    const text = fitting(context, name, room - SAMPLE - 5);
    const width = SAMPLE + 5 + context.measureText(text).width;
    if (x > 0 && x + width > room) [row, x] = [row + 1, 0];
    const place = { row, x, text };
    x += width + 15;
    return place;
  });
  return { rows: row + 1, places };
}

/** From the smallest to the largest finite value, with a little room. */
function extent(values) {
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return { low: 0, high: 1 };
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = (high - low) * 0.04 || 0.5;
  return { low: low - room, high: high + room };
}
