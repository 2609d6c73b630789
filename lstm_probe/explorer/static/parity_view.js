// Parity: how far the framework and NumPy are apart, by timestep, unit and over the training.

import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { number, parsed, short, trueDigits, whole } from "./format.js";
import { Heat, positiveExtent } from "./heat.js";
import { place } from "./readout.js";
import { logarithmic } from "./scale.js";
import { block, Sheet } from "./sheet.js";
import { verdictChip } from "./verdict.js";

const SMALLEST = 1e-12;

export class ParityView extends Sheet {
  constructor(app) {
    super(app);
    this.head = el("div", {});
    this.byTimestep = new Chart("Parity error by timestep", 200);
    this.overTraining = new Chart("Largest parity error over the training", 200);
    this.overTime = new Heat("Parity error by timestep, over the training", 260);
    this.cells = new Heat("Parity error by unit and timestep", 300);
    this.blocks = [
      block("This step, by timestep", "The largest difference between the framework’s output and NumPy’s in float64, over all units and sequences. Below the tolerance rounding explains it.", this.byTimestep.element),
      block("Over the training", "The largest difference of each capture. Click to go there.", this.overTraining.element),
      block("By timestep, over the training", "Each column is a capture, with its verdict above: green match, amber reduced precision, red mismatch. An error that grows with the timestep feeds on itself.", this.overTime.element, true),
      block("This step, by unit", "The magnitude of framework − NumPy in each cell.", this.cells.element, true),
    ];
    fill(this.element, el("div", { class: "wide" }, this.head), this.blocks.map((each) => each.element));
  }

  render() {
    const { frame } = this;
    if (!frame) return;
    fill(this.head, verdictChip(frame.a, frame.layer), this.#sentence(frame.a.parity));
    this.#timesteps(frame.a);
    this.#training();
    this.#cells(frame);
    this.course("error_by_timestep", (...found) => this.#showCourse(...found), ({ message: why }) => this.overTime.explain("", why));
  }

  draw() {
    for (const each of [this.byTimestep, this.overTraining, this.overTime, this.cells]) each.draw();
  }

  #sentence(parity) {
    if (!parity) return el("p", { class: "note" }, "NumPy does not know this cell’s equations, so there is nothing to compare: register_cell makes it known.");
    const parts = [
      ["largest", parity.max_abs],
      ["in the layer’s own precision", parity.max_abs_same_dtype],
      ["root mean square", parity.rms],
      ["in units of the last place", parity.ulp],
      ["tolerance", parity.tolerance],
    ].filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => `${name} ${number(parsed(value), 3)}`);
    const text = String(parity.verdict?.text ?? "");
    const sentence = text === parity.verdict?.kind ? "" : text;
    return [sentence ? el("p", {}, sentence) : null, el("p", { class: "note" }, parts.join(" · "))];
  }

  #timesteps(a) {
    const errors = a.vector("error_by_timestep");
    const tolerance = parsed(a.parity?.tolerance);
    const sequences = Array.from(a.sequences, (_, b) => b);
    const values = errors ? Array.from(errors, (error) => Math.max(error, SMALLEST)) : [];
    this.byTimestep.show({
      xs: values.map((_, t) => t),
      series: [{ name: "largest error", colour: 1, values, dash: [] }],
      xLabel: "timestep",
      log: true,
      special: true,
      at: this.app.state.time,
      gaps: a.mask && values.length === a.time ? (t) => errors[t] === 0 && sequences.every((b) => !a.counts(b, t)) : null,
      lines: tolerance ? [{ y: tolerance, text: `tolerance ${short(tolerance)}` }] : [],
      counted: true,
      pick: (t) => this.app.pick(this.app.state.unit ?? 0, t),
    });
  }

  #captures() {
    const { state, data } = this.app;
    return data.timeline(state.run).flatMap((capture) => {
      const layer = capture.layers?.[this.frame.layer];
      return layer && layer.max_abs !== undefined ? [{ ...layer, step: capture.step }] : [];
    });
  }

  #training() {
    const captures = this.#captures();
    const tolerances = captures.map((capture) => parsed(capture.tolerance));
    this.overTraining.show({
      ...this.trainingAxis(captures.map((capture) => capture.step)),
      series: [
        { name: "largest error", colour: 1, values: captures.map((capture) => Math.max(parsed(capture.max_abs), SMALLEST)), dash: [] },
        { name: "tolerance", colour: "muted", values: tolerances, dash: [4, 3] },
      ],
      log: true,
      special: true,
      legend: true,
    });
  }

  #showCourse(steps, { data, shape }) {
    const bins = shape[1];
    const kinds = new Map(this.#captures().map((capture) => [capture.step, capture.verdict]));
    const length = this.frame.a.meta.shape?.[1] ?? bins;
    const from = (bin) => Math.ceil((bin * length) / bins);
    this.overTime.show({
      title: "error",
      rows: bins,
      columns: steps.length,
      value: (row, column) => Math.max(data[column * bins + row], SMALLEST),
      map: this.app.state.map === "RdBu" || this.app.state.map === "PuOr" ? "viridis" : this.app.state.map,
      scale: logarithmic(...positiveExtent(data)),
      rowName: (row) => String(from(row)),
      columnName: (column) => String(steps[column]),
      text: (row, column) => [`step ${whole(steps[column])}, timestep ${from(row)}`, `error ${number(data[column * bins + row], 3)}`, kinds.get(steps[column]) ?? ""],
      xLabel: "training step",
      yLabel: "timestep",
      at: steps.indexOf(this.app.currentStep),
      strip: (column) => VERDICT_COLOURS[kinds.get(steps[column])] ?? colours.line,
      pick: (row, column) => this.goTo(steps[column]),
    });
  }

  #cells({ a }) {
    const sequence = Math.min(this.app.state.sequence, a.batch - 1);
    if (!a.error) {
      this.cells.explain("", "Nothing was recomputed, so there is no error.");
      return;
    }
    const width = a.width("h");
    const units = a.unitIndices("h");
    const error = (row, column) => Math.abs(a.errorAt(sequence, column, row));
    const all = Array.from({ length: a.time * width }, (_, at) => error(at % width, Math.floor(at / width)));
    this.cells.show({
      title: "|framework − NumPy|",
      rows: width,
      columns: a.time,
      value: error,
      map: this.app.state.map === "RdBu" || this.app.state.map === "PuOr" ? "viridis" : this.app.state.map,
      scale: logarithmic(...positiveExtent(all)),
      rowName: (row) => String(units[row]),
      columnName: (column) => a.label(sequence, column)?.slice(0, 5) ?? String(a.timesteps[column]),
      text: (row, column) => [place({ unit: units[row], timestep: a.timesteps[column], label: a.label(sequence, column), counts: a.counts(sequence, column) }), `error ${trueDigits(a.errorAt(sequence, column, row), a.errorWithin(a.errorAt(sequence, column, row)), 3)}`],
      xLabel: "timestep",
      yLabel: "unit",
      pick: (row, column) => this.app.pick(units[row], a.timesteps[column]),
    });
  }
}

const VERDICT_COLOURS = { match: "#3fae5a", "reduced precision": "#e3a008", mismatch: "#d93025" };
