// The first two rows: what is shown, and how.

import { MAPS } from "./colour.js";
import { button, choice, el, fill, setOptions } from "./dom.js";
import { explanation } from "./explanations.js";
import { clip, clipMiddle } from "./format.js";
import { menu } from "./menu.js";
import { markOf, outcomesOf } from "./outcomes.js";
import { RunPicker } from "./run_picker.js";
import { SORTS, VIEWS } from "./state.js";
import { isWhole, zoomed } from "./zoom.js";

const TITLES = { gates: "Gates", parity: "Parity", saturation: "Saturation", gradient: "Gradient", memory: "Memory", weights: "Weights", probe: "Probe", computes: "Computes" };
const SORT_NAMES = { effect: "effect of taking it away", change: "change over the training", "|c|": "|c|, the size of the cell state" };
const LONGEST_NAME = 32;
const LONGEST_LAYER = 20;
const RANGES = [["fixed", "fixed"], ["data", "of these values"], ["custom", "my own"]];

export class Toolbar {
  constructor(app) {
    this.app = app;
    const { state } = app;
    this.run = new RunPicker("Run", (run) => app.chooseRun(run));
    this.layers = menu("Layers", "Layer");
    this.sequence = choice("Sequence of the probe", [], "", (value) => state.set({ sequence: Number(value) }), { caption: "Sequence" });
    this.views = VIEWS.map((view) => button(`${TITLES[view]} view`, TITLES[view], () => state.set({ view }), { class: "view-tab", role: "tab" }));
    this.compare = button("Compare two runs, or two steps of one run", "Compare", () => app.toggleCompare(), { class: "toggle" });
    this.link = button("Copy a link to this view", "Copy link", () => app.copyLink(this.link));
    this.save = menu("Save the picture or the data", "Save");
    this.first = el("div", { class: "bar" }, this.run.element, el("div", { class: "field" }, el("span", {}, "Layer"), this.layers.element), this.sequence.element, el("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, this.views), el("div", { class: "actions" }, this.compare, this.link, this.save.element, this.#help()));
    this.second = el("div", { class: "bar options" }, this.#options());
    this.element = el("header", {}, this.first);
  }

  /** The run of the second side of a comparison, and whether its step goes along. */
  pickerB(choose, link) {
    const picker = new RunPicker("Run B", choose);
    const linked = button("Let B go along with the step of A", "Same step as A", link, { class: "toggle" });
    return {
      element: picker.element,
      link: linked,
      show(runs, value, along) {
        picker.show(runs, value);
        linked.setAttribute("aria-pressed", String(along));
      },
    };
  }

  #options() {
    const { state } = this.app;
    this.sort = choice("Sort units by", [], state.sort, (sort) => this.app.sortBy({ sort }), { caption: "Sort units by" });
    this.gate = choice("Gate to sort by", [], "", (sortGate) => this.app.sortBy({ sortGate }), { caption: "of" });
    this.map = choice("Colour map", MAPS, state.map, (map) => state.set({ map }), { caption: "Colours" });
    this.range = choice("Range of the colours", RANGES, state.range, (range) => state.set({ range }), { caption: "Range" });
    const bound = (name, label) => el("input", { type: "number", step: "any", class: "bound", "aria-label": label, onchange: (event) => Number.isFinite(event.target.valueAsNumber) && state.set({ [name]: event.target.valueAsNumber }) });
    this.low = bound("low", "Lowest value");
    this.high = bound("high", "Highest value");
    this.bounds = el("span", { class: "bounds" }, this.low, "to", this.high);
    this.columns = choice("Columns of panels", [["0", "as fits"], "1", "2", "3", "6"], String(state.columns), (columns) => state.set({ columns: Number(columns) }), { caption: "Columns" });
    const zoom = (factor) => state.set({ zoom: [...zoomed(state.zoom.slice(0, 2), factor, 0.5), ...zoomed(state.zoom.slice(2), factor, 0.5)] });
    this.reset = button("Show everything (0, or double click)", "Reset zoom", () => state.set({ zoom: [0, 1, 0, 1] }));
    this.zoomGroup = el("span", { class: "group", role: "group", "aria-label": "Zoom" }, button("Zoom out (−)", "−", () => zoom(1 / 0.7), { class: "icon" }), button("Zoom in (+)", "+", () => zoom(0.7), { class: "icon" }), this.reset);
    return [this.sort.element, this.gate.element, this.map.element, this.range.element, this.bounds, this.columns.element, this.zoomGroup];
  }

  #help() {
    const rows = [
      ["← →", "capture before, next capture"],
      ["Home, End", "first, newest capture"],
      ["Space", "play, pause"],
      ["?", "open and close this window"],
      ["Click", "choose a unit and a timestep; its curves stand on the right"],
      ["Drag", "zoom into a rectangle; double click shows everything"],
      ["Ctrl + wheel", "zoom both axes; Alt + wheel: time alone"],
      ["Wheel", "move what is zoomed into; with Shift: along the time"],
      ["In the picture", "arrows move the chosen cell, Shift + arrows pan, + − 0 zoom, Esc lets go"],
    ];
    const list = el("dl", {}, rows.flatMap(([keys, what]) => [el("dt", {}, keys), el("dd", {}, what)]));
    this.explained = el("div", {});
    this.help = menu("Help: this view, keys and mouse (?)", "?", this.explained, el("h3", {}, "Keys and mouse"), list, el("p", {}, "Hatched: masked steps. Green with a cross: NaN or infinity. “Fixed” colours have the same meaning at every step and in every run."));
    this.help.element.classList.add("help");
    return this.help.element;
  }

  render() {
    const { app } = this;
    const { state } = app;
    this.run.show(app.data.runs.map((run) => run.name), state.run);
    this.#layerMenu();
    this.#sequences();
    this.#saveMenu();
    this.views.forEach((tab, index) => tab.setAttribute("aria-selected", String(VIEWS[index] === state.view)));
    if (this.explainedView !== state.view) fill(this.explained, explanation(state.view));
    this.explainedView = state.view;
    this.compare.setAttribute("aria-pressed", String(state.compare));
    const grid = state.view === "gates";
    this.compare.hidden = !grid;
    for (const each of [this.sort.element, this.gate.element, this.columns.element, this.zoomGroup, this.range.element]) each.hidden = !grid;
    this.bounds.hidden = !grid || state.range !== "custom";
    this.second.hidden = !grid;
    this.#values();
  }

  #values() {
    const { state, frames } = this.app;
    const frame = frames.find((each) => each.a);
    const capture = frame?.a;
    const has = { effect: () => this.app.effects(frame), horizon: (each) => each.vector("horizon"), "|c|": (each) => each.gates.has("c") && each.width("c") === each.units };
    const sorts = SORTS.filter((sort) => !has[sort] || !capture || has[sort](capture));
    setOptions(this.sort.select, sorts.map((sort) => [sort, SORT_NAMES[sort] ?? sort]), sorts.includes(state.sort) ? state.sort : "index");
    const letters = capture ? capture.letters.filter((letter) => capture.width(letter) === capture.units) : [];
    const chosen = letters.includes(state.sortGate) ? state.sortGate : (["f", "z"].find((letter) => letters.includes(letter)) ?? letters[0] ?? "");
    setOptions(this.gate.select, letters, chosen);
    this.gate.element.hidden ||= ["index", "horizon", "effect", "|c|"].includes(state.sort);
    this.map.select.value = state.map;
    this.range.select.value = state.range;
    this.columns.element.hidden ||= state.compare || state.layers.length > 1;
    this.columns.select.value = String(state.columns);
    this.low.value = state.low;
    this.high.value = state.high;
    this.reset.disabled = isWhole(state.zoom);
  }

  #layerMenu() {
    const { state, layerNames } = this.app;
    const chosen = state.layers;
    this.layers.summary.textContent = chosen.length > 1 ? `${chosen.length} layers` : clipMiddle(chosen[0] ?? "none", LONGEST_LAYER);
    this.layers.summary.title = chosen.join(", ");
    const signature = JSON.stringify([layerNames, chosen]);
    if (signature === this.layerSignature) return;
    this.layerSignature = signature;
    const one = (layer) => {
      const box = el("input", { type: "checkbox", onchange: () => this.app.chooseLayers(layerNames.filter((each) => (each === layer ? box.checked : chosen.includes(each)))) });
      box.checked = chosen.includes(layer);
      return el("div", { class: "layer-row" }, el("label", {}, box, layer), button(`Only ${layer}`, "only", () => this.app.chooseLayers([layer]), { class: "link" }));
    };
    fill(this.layers.panel, el("p", {}, "Several layers stand above each other on one time axis."), layerNames.map(one), button("All layers", "All layers", () => this.app.chooseLayers(layerNames.slice(0, 16))));
  }

  #sequences() {
    const capture = this.app.frames.find((frame) => frame.a)?.a;
    const sequences = capture ? Array.from(capture.sequences) : [];
    this.sequence.element.hidden = sequences.length < 2;
    this.sequence.element.firstChild.hidden = Boolean(capture?.names); // names say what they are, and need room
    const value = Math.min(this.app.state.sequence, Math.max(0, sequences.length - 1));
    const outcomes = capture ? outcomesOf(capture, this.app.probe) : [];
    const name = (index) => [[capture.called(index), clip(capture.nameOf(index) ?? "", LONGEST_NAME)].filter(Boolean).join(": "), markOf(outcomes, index)].filter(Boolean).join(" · ");
    setOptions(this.sequence.select, sequences.map((_, index) => [String(index), name(index)]), String(value));
  }

  #saveMenu() {
    const frame = this.app.frames.find((each) => each.a);
    const signature = JSON.stringify([frame?.aRun, frame?.layer, frame?.a.step, this.app.state.view]);
    if (signature === this.saveSignature) return;
    this.saveSignature = signature;
    const file = (format, text) => {
      const address = this.app.data.source.fileAddress(frame.aRun, frame.layer, frame.a.step, format);
      return address === null ? null : el("a", { class: "item", href: address, download: "" }, text);
    };
    fill(this.save.panel, button("Save this view as a picture", "Picture (PNG)", () => this.app.savePicture(), { class: "item" }), button("Save this view as a drawing", "Drawing (SVG)", () => this.app.savePicture("svg"), { class: "item" }), frame ? [file("npz", "Data of this layer and step (npz)"), file("csv", "Data of this layer and step (CSV)")] : null);
  }
}
