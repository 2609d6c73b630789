// Gradient through time: how strongly the last step depends on each earlier one.

import { Chart } from "./chart.js";
import { DIVERGING } from "./colour.js";
import { fill } from "./dom.js";
import { number, whole } from "./format.js";
import { Heat, positiveExtent } from "./heat.js";
import { message } from "./messages.js";
import { logarithmic } from "./scale.js";
import { averaged, block, Sheet } from "./sheet.js";

const THIS_STEP = "The norm of the derivative of the last state by the state at each timestep. Level: it remembers. Falling to the left: it vanishes. Rising: it explodes.";
const SMALLEST = 1e-8;

export class GradientView extends Sheet {
  constructor(app) {
    super(app);
    this.chart = new Chart("Norm of the gradient by timestep", 240);
    this.overTime = new Heat("Norm of the gradient by timestep, over the training", 320);
    this.reach = new Chart("How far the gradient reaches, over the training", 240);
    this.blocks = [
      block("This step", THIS_STEP, this.chart.element),
      block("Reach, over the training", "How many steps back the gradient stays above 1 % of its largest value. Click to go to a capture.", this.reach.element),
      block("By timestep, over the training", "Each column is a capture; click to go there.", this.overTime.element, true),
    ];
    this.none = message("No gradient", "The gradient through time is not known for this kind of cell.");
  }

  render() {
    const { frame } = this;
    if (!frame) return;
    const states = ["h", "c"].filter((letter) => frame.a.vector(`gradient/${letter}`));
    const parts = states.length ? this.blocks.map((each) => each.element) : [this.none];
    if (this.element.firstChild !== parts[0]) fill(this.element, parts);
    if (!states.length) return;
    this.blocks[0].show("This step", THIS_STEP + averaged(frame.a));
    this.#show(states);
    this.#reaches();
    this.#byTimestep(states.includes("c") ? "c" : "h");
  }

  draw() {
    for (const each of [this.chart, this.reach, this.overTime]) each.draw();
  }

  #show(states) {
    const { a } = this.frame;
    const values = states.map((letter) => Array.from(a.vector(`gradient/${letter}`), (norm) => Math.max(norm, SMALLEST)));
    this.chart.show({
      xs: values[0].map((_, t) => t),
      series: states.map((letter, index) => ({ name: `|d${letter}ᴛ / d${letter}ₜ|`, colour: a.letters.indexOf(letter), values: values[index], dash: index ? [5, 3] : [] })),
      xLabel: "timestep",
      log: true,
      legend: true,
      at: this.app.state.time,
      counted: true,
      pick: (t) => this.app.pick(this.app.state.unit ?? 0, t),
    });
  }

  #reaches() {
    const { layer } = this.frame;
    const captures = this.app.data.timeline(this.app.state.run).filter((capture) => typeof capture.layers?.[layer]?.gradient_reach === "number");
    this.reach.show({
      ...this.trainingAxis(captures.map((capture) => capture.step)),
      series: [{ name: "steps back", colour: 0, values: captures.map((capture) => capture.layers[layer].gradient_reach) }],
      low: 0,
    });
  }

  #byTimestep(letter) {
    this.course(`gradient/${letter}`, (...found) => this.#showCourse(letter, ...found), ({ message: why }) => this.overTime.explain("", why));
  }

  #showCourse(letter, steps, { data, shape }) {
    const [, length] = shape;
    const { map } = this.app.state;
    const [low, high] = positiveExtent(data);
    this.overTime.show({
      title: `|d${letter}ᴛ / d${letter}ₜ|`,
      rows: length,
      columns: steps.length,
      value: (row, column) => Math.max(data[column * length + row], SMALLEST),
      map: DIVERGING.has(map) ? "viridis" : map,
      scale: logarithmic(Math.max(low, SMALLEST), Math.max(high, SMALLEST * 10)),
      rowName: (row) => String(row),
      columnName: (column) => String(steps[column]),
      text: (row, column) => [`step ${whole(steps[column])}, timestep ${row}`, `norm ${number(data[column * length + row], 3)}`],
      xLabel: "training step",
      yLabel: "timestep",
      at: steps.indexOf(this.app.currentStep),
      pick: (row, column) => this.goTo(steps[column]),
    });
  }
}
