// The right side: the verdict, the chosen cell, its curves, and the alerts.

import { alertsFor, when } from "./alerts.js";
import { position } from "./capture.js";
import { Chart } from "./chart.js";
import { button, el, fill } from "./dom.js";
import { parsed, whole } from "./format.js";
import { halfWithin } from "./half.js";
import { gateTable, place, precisionNote, readCell, shown } from "./readout.js";
import { Sentences } from "./sentences.js";
import { verdictChip } from "./verdict.js";

const DELAY = 150;
const FAR = 3;

export class Inspector {
  #timer = 0;
  #asked = "";

  constructor(app) {
    this.app = app;
    this.sentences = new Sentences(app);
    this.verdict = el("section", { class: "card" });
    this.unit = this.#input("Unit", "unit");
    this.time = this.#input("Timestep", "time");
    this.cell = el("div", { class: "cell" });
    this.overTime = new Chart("Gates of the chosen unit over the timesteps");
    this.overTraining = new Chart("Gates of the chosen unit and timestep over the training");
    this.allUnits = new Chart("Gates of all units at the chosen timestep");
    this.heads = [0, 1, 2].map(() => el("h3", {}));
    this.charts = el("div", { class: "charts" }, [this.overTime, this.overTraining, this.allUnits].map((chart, index) => [this.heads[index], chart.element]));
    this.hint = el("p", { class: "hint" }, "Click a cell of a heatmap to see its unit’s curves over time and over the training, and all units at its timestep.");
    this.alerts = el("section", { class: "card alerts" });
    this.element = el("aside", { "aria-label": "Chosen cell" }, this.sentences.element, this.verdict, el("section", { class: "card" }, el("div", { class: "inputs" }, this.unit.element, this.time.element, button("Let go of the cell (Esc)", "Clear", () => app.state.set({ unit: null, time: null }), { class: "link" })), this.cell, this.hint), this.charts, this.alerts);
  }

  #input(text, name) {
    const input = el("input", { type: "number", min: 0, step: 1, onchange: () => this.#typed(name, input) });
    return { input, element: el("label", { class: "field" }, el("span", {}, text), input) };
  }

  #typed(name, input) {
    if (!this.frame || !Number.isInteger(input.valueAsNumber)) return;
    const { a } = this.frame;
    const indices = name === "unit" ? a.unitIndices() : a.timesteps;
    const { unit, time } = this.app.state;
    const value = indices[position(indices, input.valueAsNumber)];
    this.app.state.set({ unit: unit ?? a.unitIndices()[0], time: time ?? a.timesteps[0], [name]: value });
  }

  render() {
    this.frame = this.app.frames.find((frame) => frame.a) ?? null;
    this.#alerts();
    this.sentences.show(this.frame);
    if (!this.frame) {
      fill(this.verdict);
      this.charts.hidden = true;
      return;
    }
    fill(this.verdict, verdictChip(this.frame.a, this.frame.layer));
    const { unit, time } = this.app.state;
    const chosen = unit !== null && time !== null;
    this.hint.hidden = chosen;
    this.charts.hidden = !chosen;
    this.unit.input.value = unit ?? "";
    this.time.input.value = time ?? "";
    if (!chosen) {
      fill(this.cell);
      return;
    }
    this.#readout();
    this.#curves();
  }

  draw() {
    for (const chart of [this.overTime, this.overTraining, this.allUnits]) chart.draw();
  }

  /** The chosen cell in one sentence, for those who hear the page. */
  sentence() {
    const { unit, time } = this.app.state;
    if (!this.frame || unit === null) return "";
    const cell = this.#read(this.frame.a);
    return `${place(cell)}: ${cell.gates.map((gate) => `${gate.letter} ${shown(gate)}`).join(", ")}`;
  }

  #where(capture) {
    const { unit, time, sequence } = this.app.state;
    return { u: position(capture.unitIndices(), unit), t: position(capture.timesteps, time), b: Math.min(sequence, capture.batch - 1) };
  }

  #read(capture) {
    const { u, t, b } = this.#where(capture);
    return readCell(capture, b, t, u);
  }

  #readout() {
    const { a, b } = this.frame;
    const cell = this.#read(a);
    const many = this.app.frames.length > 1 ? `${this.frame.layer}: ` : "";
    fill(this.cell, el("p", { class: "place" }, `${many}${place(cell)}`), gateTable(cell, this.app.state.compare && b ? this.#read(b) : null), el("p", { class: "note" }, precisionNote(a)));
  }

  #curves() {
    const { a } = this.frame;
    const { u, t, b } = this.#where(a);
    const units = a.unitIndices();
    const letters = a.letters.filter((letter) => a.width(letter) === a.units);
    const series = (values) => letters.map((letter, index) => ({ name: a.title(letter), colour: a.letters.indexOf(letter), values: values(letter, index), within: (value) => a.within(letter, value) })).map((each, index) => this.#apart(each, a.range(letters[index])));
    fill(this.heads[0], `Unit ${units[u]} over time`);
    this.overTime.show({
      xs: Array.from(a.timesteps),
      series: series((letter) => Array.from({ length: a.time }, (_, each) => a.value(letter, b, each, u))),
      xLabel: "timestep",
      at: a.timesteps[t],
      counted: true,
      special: true,
      gaps: a.mask ? (each) => !a.counts(b, each) : null,
      names: (each) => `timestep ${a.timesteps[each]}${a.label(b, each) ? ` “${a.label(b, each)}”` : ""}`,
      pick: (each) => this.app.pick(units[u], a.timesteps[each]),
    });
    const order = Array.from(this.app.orderFor(this.frame));
    fill(this.heads[2], `All units at timestep ${a.timesteps[t]}`);
    this.allUnits.show({
      xs: order.map((_, index) => index),
      series: series((letter) => order.map((each) => a.value(letter, b, t, each))).map((each) => ({ ...each, dots: true })),
      xLabel: this.app.state.sort === "index" ? "unit" : `units, sorted by ${this.app.state.sort}`,
      special: true,
      at: order.indexOf(u),
      counted: true,
      names: (each) => `unit ${units[order[each]]}`,
      pick: (each) => this.app.pick(units[order[each]], a.timesteps[t]),
    });
    this.#training(units[u], a.timesteps[t], a.sequences[b]);
  }

  /** A cell state far outside of the gates' range gets an axis of its own: it would flatten them. */
  #apart(series, range) {
    const far = !range && series.values.some((value) => Math.abs(value) > FAR && Number.isFinite(value));
    return far ? { ...series, apart: true } : series;
  }

  #training(unit, time, sequence) {
    const { aRun: run, layer, a } = this.frame;
    fill(this.heads[1], `Unit ${unit} at timestep ${time}, over the training`);
    const steps = this.app.data.steps(run, layer) ?? [];
    const wanted = JSON.stringify([run, layer, sequence, time, unit, steps.length]);
    if (wanted === this.#asked) {
      if (this.overTraining.options) this.overTraining.show({ ...this.overTraining.options, at: a.step });
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#asked = wanted;
      try {
        const { arrays, meta } = await this.app.data.series(run, layer, sequence, time, unit, steps.length);
        if (wanted === this.#asked) this.#showTraining(arrays, meta);
      } catch (error) {
        this.#asked = "";
        fill(this.heads[1], `Over the training: ${error.message}`);
      }
    }, DELAY);
  }

  #showTraining(arrays, meta) {
    const { a } = this.frame;
    const exact = meta.precision === "float32";
    const within = (letter) => (value) => (exact ? 0 : halfWithin(value) + (parsed(meta.quanta?.[letter]) ?? 0));
    const xs = Array.from(arrays.get("steps")?.data ?? []);
    const letters = a.letters.filter((letter) => arrays.has(`gates/${letter}`));
    this.overTraining.show({
      xs,
      series: letters.map((letter) => ({ name: a.title(letter), colour: a.letters.indexOf(letter), values: Array.from(arrays.get(`gates/${letter}`).data), within: within(letter) })).map((each, index) => this.#apart(each, a.range(letters[index]))),
      xLabel: "training step",
      special: true,
      at: a.step,
      pick: (index) => this.app.state.set({ step: xs[index] }),
    });
  }

  #alerts() {
    const { app } = this;
    const layer = this.frame?.layer ?? null;
    const alerts = alertsFor(app.data.alerts(app.state.run), layer);
    const signature = JSON.stringify([app.state.run, layer, alerts.map(({ rule, step, state }) => [rule, step, state])]);
    if (signature === this.signature) return;
    this.signature = signature;
    this.alerts.hidden = !alerts.length;
    const one = (alert) => el("li", { class: alert.state }, button(`Go to step ${alert.step}`, [el("strong", {}, String(alert.rule)), ` ${when(alert)}${alert.layer === layer ? "" : `, ${alert.layer}`}`], () => app.showAlert(alert), { class: "alert", title: String(alert.text ?? "") }), el("p", {}, advice(alert)));
    fill(this.alerts, el("h3", {}, `Alerts (${alerts.length})`), el("ul", {}, alerts.map(one)));
  }
}

/** The part of an alert's text that says what was seen and what to try. */
function advice(alert) {
  const text = String(alert.text ?? parsed(alert.value) ?? "");
  const start = text.indexOf(`step ${alert.step}: `);
  return start < 0 ? text : text.slice(start + `step ${alert.step}: `.length);
}
