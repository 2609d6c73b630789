// The grid: every gate of the chosen layers, on one axis of time and one of units.

import { position } from "./capture.js";
import { sized } from "./canvas.js";
import { drawOverlay } from "./crosshair.js";
import { el, fill } from "./dom.js";
import { columnsFor, layOut } from "./layout.js";
import { outcomesOf } from "./outcomes.js";
import { drawPanel, FONT, visible } from "./panel.js";
import { Panels } from "./panels.js";
import { listen } from "./pointer.js";
import { gateTable, place as placeText, readCell } from "./readout.js";
import { drawStrips, heightOf, markStrips, stripAt, stripsOf } from "./strips.js";
import { colours } from "./theme.js";
import { hideTooltip, showTooltip } from "./tooltip.js";
import { moved, zoomed } from "./zoom.js";

export class GatesView {
  constructor(app) {
    this.app = app;
    this.sections = [];
    this.panels = new Panels(app);
    this.canvas = el("canvas", {
      class: "grid",
      tabindex: "0",
      role: "application",
      "aria-label": "Heatmaps of the gates. Arrow keys move the chosen cell, plus and minus zoom.",
    });
    this.picture = el("canvas", { "aria-hidden": "true" });
    this.stage = el("div", { class: "stage" }, this.picture, this.canvas);
    this.told = el("p", { class: "told", "data-print": "" });
    this.stripRasters = new Map();
    this.element = el("div", { class: "gates-view" }, this.told, this.stage);
    listen(this, app.state, {
      hover: (place, event) => this.#hover(place, event),
      leave: () => this.#hover(null),
      pick: (place) => this.#pick(place),
      zoom: (zoom) => app.state.set({ zoom }),
      select: (from, to) => this.#overlay(null, from, to),
    });
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  render() {
    this.sections = this.panels.build();
    this.#addStrips();
    this.#tell();
    this.draw();
  }

  /** The probe's own data above the panels of each layer. In a comparison it is that of A. */
  #addStrips() {
    this.app.frames.forEach(({ a }, index) => {
      const section = this.sections[index];
      section.strips = a ? stripsOf(a, this.app.probe, Math.min(this.app.state.sequence, a.batch - 1)) : [];
      section.above = heightOf(section.strips);
    });
  }

  /** The sequence that is shown: its name, its target, and what the model gives. */
  #tell() {
    const a = this.app.frames.find((frame) => frame.a)?.a;
    const sequence = a ? Math.min(this.app.state.sequence, a.batch - 1) : 0;
    const parts = a ? outcomesOf(a, this.app.probe).map((each) => [each.name && `${each.name}: `, each.text(sequence)].filter(Boolean).join("")).filter(Boolean) : [];
    fill(this.told, parts.length ? `Sequence ${a.titleOf(sequence)} · ${parts.join(" · ")}` : "");
    this.told.hidden = !parts.length;
  }

  /** Draws again what is there: after a zoom, another size or another theme. */
  draw() {
    const { width, height } = this.#room();
    const bottom = this.panels.labelRoom;
    for (const section of this.sections) {
      section.columns = section.fixed ?? columnsFor(section.panels.length, width, this.app.state.columns);
    }
    const total = layOut(this.sections, width, height, bottom);
    const context = sized(this.picture, width, total);
    for (const section of this.sections) {
      if (this.sections.length > 1) this.#sectionTitle(context, section);
      const places = this.app.state.compare ? section.places.slice(0, 1) : section.places;
      drawStrips(context, section.strips ?? [], places, this.app.state.zoom, this.stripRasters);
      for (const panel of section.panels) {
        panel.rowLabels = panel.leftmost && panel.raster ? panel.rows : null;
        panel.columnLabels = panel.lowest && panel.raster ? panel.columns : null;
        drawPanel(context, panel, this.app.state.zoom, this.app.state.map);
      }
      this.#axisTitles(context, section, bottom);
    }
    sized(this.canvas, width, total);
    this.#hoverAgain();
  }

  /** The picture has changed under a pointer that rests. */
  #hoverAgain() {
    if (!this.pointer) {
      this.#overlay(null);
      return;
    }
    const box = this.canvas.getBoundingClientRect();
    const { clientX, clientY } = this.pointer;
    this.#hover(this.locate({ x: clientX - box.left, y: clientY - box.top }), this.pointer);
  }

  /** Whether the pointer is over a strip; says what is there. */
  #hoverStrip(event) {
    if (!event) return false;
    const box = this.canvas.getBoundingClientRect();
    const strips = this.sections.flatMap((section) => section.strips ?? []);
    const found = stripAt(strips, this.app.state.zoom, { x: event.clientX - box.left, y: event.clientY - box.top });
    if (!found) return false;
    const { strip, t } = found;
    showTooltip(event, el("strong", {}, `timestep ${strip.timestep(t)}`), strip.told(t).filter(Boolean).map((line) => el("div", {}, line)));
    return true;
  }

  #room() {
    const box = this.app.viewBox();
    return { width: Math.max(320, box.width - 4), height: Math.max(220, box.height - 6 - this.told.offsetHeight) };
  }

  #sectionTitle(context, section) {
    context.font = "600 13px Roboto, 'Helvetica Neue', Arial, sans-serif";
    context.fillStyle = colours.accent;
    context.textAlign = "left";
    context.fillText(section.title, 8, section.y + 16);
  }

  #axisTitles(context, section, bottom) {
    const first = section.panels[0]?.rect;
    const last = section.panels.at(-1)?.rect;
    if (!first || !section.panels[0].raster) return;
    context.font = FONT;
    context.fillStyle = colours.muted;
    context.textAlign = "center";
    context.fillText("timestep", (first.x + last.x + last.width) / 2, last.y + last.height + bottom + 12);
    context.save();
    context.translate(12, (first.y + last.y + last.height) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText("unit", 0, 0);
    context.restore();
  }

  locate({ x, y }) {
    for (const section of this.sections) {
      for (const panel of section.panels) {
        const { rect } = panel;
        if (panel.raster && x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height) return this.within(panel, { x, y });
      }
    }
    return null;
  }

  /** The point of a panel nearest to a point of the picture. */
  within(panel, { x, y }) {
    const part = (value) => Math.max(0, Math.min(1, value));
    return { panel, x: part((x - panel.rect.x) / panel.rect.width), y: part((y - panel.rect.y) / panel.rect.height) };
  }

  /** Timestep and unit under a place, as positions among the stored ones. */
  cellAt({ panel, x, y }) {
    const { left, right, top, bottom } = visible(panel.raster, this.app.state.zoom);
    const t = Math.min(panel.raster.columns - 1, Math.floor(left + x * (right - left)));
    const row = Math.min(panel.raster.rows - 1, Math.floor(top + y * (bottom - top)));
    return { t, row, u: panel.order[row] };
  }

  #hover(place, event) {
    this.pointer = event ? { clientX: event.clientX, clientY: event.clientY } : null;
    this.#overlay(place);
    if (!place) {
      if (!this.#hoverStrip(event)) hideTooltip();
      return;
    }
    const { panel } = place;
    const { t, u } = this.cellAt(place);
    const cell = readCell(panel.capture, panel.sequence, t, u, panel.letter);
    const other = this.app.state.compare && panel.frame.b ? this.#sameCell(panel.frame.b, panel.sequence, cell, panel.letter) : null;
    const ours = other && panel.side === "b" ? this.#sameCell(panel.frame.a, panel.sequence, cell, panel.letter) : cell;
    showTooltip(
      event,
      el("strong", {}, `${panel.frame.layer} · ${panel.title}`),
      el("div", { class: "place" }, placeText(cell)),
      gateTable(ours ?? cell, other, panel.letter),
    );
  }

  #sameCell(capture, sequence, cell, letter) {
    const units = capture.unitIndices(letter);
    const [u, t] = [position(units, cell.unit), position(capture.timesteps, cell.timestep)];
    const same = units[u] === cell.unit && capture.timesteps[t] === cell.timestep && sequence < capture.batch;
    return same ? readCell(capture, sequence, t, u, letter) : null;
  }

  #pick(place) {
    const { t, u } = this.cellAt(place);
    const { capture, letter, frame } = place.panel;
    this.app.pick(capture.unitIndices(letter)[u], capture.timesteps[t], frame.layer);
    this.canvas.focus({ preventScroll: true });
  }

  #key(event) {
    const { state } = this.app;
    const zoom = { "+": 0.7, "=": 0.7, "-": 1 / 0.7 }[event.key];
    if (zoom) state.set({ zoom: [...zoomed(state.zoom.slice(0, 2), zoom, 0.5), ...zoomed(state.zoom.slice(2), zoom, 0.5)] });
    else if (event.key === "0") state.set({ zoom: [0, 1, 0, 1] });
    else if (event.key.startsWith("Arrow") && event.shiftKey) this.#pan(event.key);
    else if (event.key.startsWith("Arrow")) this.#step(event.key);
    else if (event.key === "Escape") state.set({ unit: null, time: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #pan(key) {
    const { zoom } = this.app.state;
    const [across, down] = DIRECTIONS[key];
    const by = (low, high, direction) => moved([low, high], direction * 0.1 * (high - low));
    this.app.state.set({ zoom: [...by(zoom[0], zoom[1], across), ...by(zoom[2], zoom[3], down)] });
  }

  #step(key) {
    const frame = this.app.frames.find((each) => each.a);
    if (!frame) return;
    const { a } = frame;
    const { unit, time } = this.app.state;
    const [across, down] = unit === null ? [0, 0] : DIRECTIONS[key];
    const order = this.app.orderFor(frame);
    const row = order.indexOf(position(a.unitIndices(), unit ?? 0));
    const t = position(a.timesteps, time ?? 0);
    const clamp = (value, length) => Math.max(0, Math.min(length - 1, value));
    this.app.pick(a.unitIndices()[order[clamp(row + down, order.length)]], a.timesteps[clamp(t + across, a.time)], frame.layer);
  }

  #overlay(place, from = null, to = null) {
    const { unit, time, zoom } = this.app.state;
    const hovered = place?.panel.raster ? this.cellAt(place) : null;
    drawOverlay(this.canvas, this.sections, zoom, { unit, time }, hovered, from && to ? { from, to } : null);
    this.#markStrips(hovered);
  }

  #markStrips(hovered) {
    const { time, zoom } = this.app.state;
    const context = this.canvas.getContext("2d");
    for (const { strips = [], panels } of this.sections) {
      const capture = panels[0]?.capture;
      if (!capture) continue;
      if (time !== null) markStrips(context, strips, zoom, position(capture.timesteps, time) / capture.time, capture.time, "#ffb300");
      if (hovered) markStrips(context, strips, zoom, hovered.t / capture.time, capture.time, colours.cross);
    }
  }
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
