// Saturation: how often each unit's gates are nearly open or nearly shut.

import { Chart } from "./chart.js";
import { fill } from "./dom.js";
import { number, parsed } from "./format.js";
import { message } from "./messages.js";
import { Scatter } from "./scatter.js";
import { averaged, block, Sheet } from "./sheet.js";

const DOTS = "Each dot is a unit; a number counts units at the same place. At the right it is mostly shut, at the top mostly open; at the origin it is in between, and learns.";

export class SaturationView extends Sheet {
  constructor(app) {
    super(app);
    this.scatters = new Map();
    this.chart = new Chart("Saturated part of each gate over the training", 220);
    this.element.classList.add("narrow");
    this.course = block("Over the training", "The part of all units and steps at which a gate is below 0.1 or above 0.9. Click to go to a capture.", this.chart.element, true);
  }

  render() {
    const { frame } = this;
    if (!frame) return;
    const letters = frame.a.letters.filter((letter) => frame.a.vector(`saturated_low/${letter}`) && frame.a.vector(`saturated_high/${letter}`));
    if (!letters.length) {
      fill(this.element, message("No gates that saturate", "This cell has no gate with values from 0 to 1."));
      return;
    }
    this.element.style.setProperty("--columns", Math.min(4, Math.max(2, letters.length)));
    const blocks = letters.map((letter) => this.#block(letter));
    const parts = [...blocks.map((each) => each.block.element), this.course.element];
    if (this.element.childElementCount !== parts.length || parts.some((part, index) => this.element.children[index] !== part)) fill(this.element, parts);
    letters.forEach((letter) => this.#show(letter));
    this.#training(letters);
  }

  draw() {
    for (const { scatter } of this.scatters.values()) scatter.draw();
    this.chart.draw();
  }

  #block(letter) {
    if (!this.scatters.has(letter)) {
      const scatter = new Scatter(`Saturation of ${letter}`);
      this.scatters.set(letter, { scatter, block: block(letter, DOTS, scatter.element) });
    }
    return this.scatters.get(letter);
  }

  #show(letter) {
    const { a } = this.frame;
    const { scatter, block: head } = this.scatters.get(letter);
    head.show(a.title(letter), DOTS + averaged(a));
    const [low, high] = [a.vector(`saturated_low/${letter}`), a.vector(`saturated_high/${letter}`)];
    const mean = a.vector(`mean/${letter}`);
    const percent = (part) => `${Math.round(100 * part)} %`;
    scatter.show({
      xs: low,
      ys: high,
      colour: a.letters.indexOf(letter),
      chosen: this.app.state.unit,
      xLabel: "part of the steps below 0.1 (shut) →",
      yLabel: "↑ above 0.9 (open)",
      text: (unit) => [`unit ${unit}`, `shut at ${percent(low[unit])}, open at ${percent(high[unit])} of the steps`, `mean ${number(mean?.[unit] ?? null)}`],
      pick: (unit) => this.app.pick(unit, this.app.state.time ?? 0),
    });
  }

  #training(letters) {
    const { a, layer } = this.frame;
    const captures = this.app.data.timeline(this.app.state.run).filter((capture) => capture.layers?.[layer]?.saturated);
    this.chart.show({
      ...this.trainingAxis(captures.map((capture) => capture.step)),
      series: letters.map((letter) => ({ name: a.title(letter), colour: a.letters.indexOf(letter), values: captures.map((capture) => parsed(capture.layers[layer].saturated[letter]) ?? NaN) })),
      low: 0,
      high: 1,
      legend: true,
    });
  }
}
