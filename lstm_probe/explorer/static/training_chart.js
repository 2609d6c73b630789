// The training above the slider: its loss and metrics at each capture.

import { Chart } from "./chart.js";
import { choice, el, setOptions } from "./dom.js";
import { parsed } from "./format.js";
import { VALIDATION, metricsOf } from "./metrics.js";

const HEIGHT = 96;

export class TrainingChart {
  constructor(app) {
    this.app = app;
    this.metric = "loss";
    this.chart = new Chart("Loss and metrics of the training", HEIGHT);
    this.choice = choice("Metric", [this.metric], this.metric, (metric) => this.#choose(metric));
    this.element = el("div", { class: "training", hidden: true }, this.choice.element, this.chart.element);
  }

  /** @param captures the run's timeline; `step`: the one that is looked at. */
  show(captures, step) {
    this.shown = [captures, step];
    const names = metricsOf(captures);
    const known = captures.filter((capture) => capture.training);
    this.element.hidden = !names.length || known.length < 2;
    if (this.element.hidden) return;
    if (!names.includes(this.metric)) [this.metric] = names;
    setOptions(this.choice.select, names, this.metric);
    this.choice.element.hidden = names.length < 2;
    const series = [this.metric, VALIDATION + this.metric].map((name, colour) => ({ name, colour, values: known.map((capture) => parsed(capture.training[name])) })).filter(({ values }) => values.some((value) => value !== null));
    this.chart.show({ xs: known.map((capture) => capture.step), series, legend: true, at: step, special: true, names: (index) => `step ${known[index].step}`, pick: (index) => this.app.state.set({ step: known[index].step }) });
  }

  draw() {
    this.chart.draw();
  }

  #choose(metric) {
    this.metric = metric;
    this.show(...this.shown);
  }
}
