// Weights: kernel, recurrent kernel and bias of each gate.

import { Chart } from "./chart.js";
import { DIVERGING } from "./colour.js";
import { el, fill } from "./dom.js";
import { number, parsed, trueDigits } from "./format.js";
import { Heat } from "./heat.js";
import { failure, message } from "./messages.js";
import { linear } from "./scale.js";
import { block, Sheet } from "./sheet.js";

const KINDS = [
  ["kernel", "Kernel", "From the layer’s input to each gate: rows are inputs, columns units."],
  ["recurrent_kernel", "Recurrent kernel", "From the last h to each gate: rows and columns are units."],
];
const NOT_FINITE = -128;

export class WeightsView extends Sheet {
  constructor(app) {
    super(app);
    this.pictures = [];
  }

  async render() {
    const { frame } = this;
    if (!frame) return;
    const wanted = this.guard();
    const known = this.app.data.run(frame.aRun)?.weights ?? [];
    if (!known.includes(frame.layer)) {
      fill(this.element, el("div", { class: "wide" }, message("No weights in this log", "They are stored with detail=\"full\", and not for every kind of log.")));
      return;
    }
    try {
      const weights = await this.app.data.weights(frame.aRun, frame.layer, frame.a.step);
      if (wanted()) this.#show(weights);
    } catch (error) {
      if (wanted()) fill(this.element, el("div", { class: "wide" }, failure(error)));
    }
  }

  draw() {
    for (const picture of this.pictures) picture.draw();
  }

  #show({ arrays, meta }) {
    const blocks = [];
    this.pictures = [];
    for (const [prefix, title, note] of KINDS) {
      const names = [...arrays.keys()].filter((name) => name.startsWith(`${prefix}/`) && arrays.get(name).dtype === "I8" && arrays.get(name).shape.length === 2);
      // One range for all gates: a gate whose weights are small is to look so.
      const largest = Math.max(...names.map((name) => parsed(meta.scales?.[name]) ?? 1));
      const heats = names.map((name) => this.#matrix(arrays, meta, name, largest));
      if (heats.length) blocks.push(block(title, note, el("div", { class: "row" }, heats.map((heat) => heat.element)), true).element);
    }
    const bias = this.#biases(arrays);
    fill(this.element, blocks, bias ? block("Bias", "The bias of each unit, by gate.", bias.element, true).element : null);
    this.draw();
  }

  #matrix(arrays, meta, name, largest) {
    const { data, shape } = arrays.get(name);
    const scale = parsed(meta.scales?.[name]) ?? 1;
    const index = (kind, length) => {
      const kept = arrays.get(`${kind}/${name}`);
      return kept?.data.length === length ? kept.data : Array.from({ length }, (_, each) => each);
    };
    const [rows, columns] = [index("rows", shape[0]), index("columns", shape[1])];
    const value = (row, column) => {
      const code = data[row * shape[1] + column];
      return code === NOT_FINITE ? NaN : (code * scale) / 127;
    };
    const { map } = this.app.state;
    const heat = new Heat(`Weights ${name}`, Math.max(120, Math.min(260, 60 + 8 * shape[0])));
    heat.show({
      title: this.frame.a.title(letterOf(name)),
      letter: letterOf(name),
      rows: shape[0],
      columns: shape[1],
      value,
      map: DIVERGING.has(map) ? map : "RdBu",
      scale: linear(-largest, largest),
      rowName: (row) => String(rows[row]),
      columnName: (column) => String(columns[column]),
      text: (row, column) => [`${name}[${rows[row]}, ${columns[column]}]`, `${trueDigits(value(row, column), scale / 254)} (stored to ${number(scale / 127, 3)})`],
      xLabel: "unit",
      yLabel: name.startsWith("recurrent") ? "unit of h" : "input",
    });
    this.pictures.push(heat);
    return heat;
  }

  #biases(arrays) {
    const names = [...arrays.keys()].filter((name) => /^(recurrent_)?bias\//.test(name) && arrays.get(name).dtype === "F32");
    if (!names.length) return null;
    const chart = new Chart("Biases of all units, by gate", 240);
    const { a } = this.frame;
    chart.show({
      xs: Array.from({ length: Math.max(...names.map((name) => arrays.get(name).data.length)) }, (_, unit) => unit),
      legend: true,
      series: names.map((name) => ({ name: `${name.startsWith("recurrent") ? "recurrent " : ""}${letterOf(name)}`, colour: Math.max(0, a.letters.indexOf(letterOf(name))), values: Array.from(arrays.get(name).data), dots: true })),
      xLabel: "unit",
      counted: true,
      at: this.app.state.unit,
      names: (unit) => `unit ${unit}`,
      pick: (unit) => this.app.pick(unit, this.app.state.time ?? 0),
    });
    this.pictures.push(chart);
    return chart;
  }
}

/** The gate of an array such as `kernel/2_f`. */
function letterOf(name) {
  return name.split("/")[1].replace(/^\d+_/, "");
}
