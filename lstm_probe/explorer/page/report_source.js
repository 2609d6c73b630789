// The data source of a saved report: the captures inside the page itself.

import { historyOf, seriesOf, spread } from "./courses.js";
import { Capture } from "./capture.js";
import { dequantised } from "./packing.js";
import { Source, SourceError } from "./source.js";

/** No capture holds these curves by itself: the server computes them, and so does who makes a report. */
const COMPUTED = ["error_by_timestep", "cka", "exponents"];

export class ReportSource extends Source {
  #answers;
  #layers;
  #timelines;
  #alerts;
  #sentences;
  #explained;
  #histories;
  #numbers;
  #textOf;

  /**
   * @param index what `page/index.py` wrote: the server's own answers, and where the captures stand.
   * @param textOf a function from the number of a capture to its bytes, deflated, as base64.
   */
  constructor(index, textOf) {
    super();
    this.#answers = index.answers;
    this.#layers = new Map(Object.entries(index.answers.layers));
    this.#timelines = new Map(Object.entries(index.answers.timeline));
    this.#alerts = new Map(Object.entries(index.answers.alerts));
    this.#sentences = byKey(index.answers.sentences);
    this.#explained = byKey(index.answers.explained);
    this.#histories = byKey(index.histories);
    this.#numbers = byKey(index.numbers);
    this.#textOf = textOf;
  }

  async runs() {
    return this.#answers.runs.runs;
  }

  async layers(run) {
    return (this.#layers.get(run) ?? missing(`the run “${run}”`)).layers;
  }

  async steps(run, layer) {
    const found = (await this.layers(run)).find(({ name }) => name === layer);
    return (found ?? missing(`the layer “${layer}” of the run “${run}”`)).steps;
  }

  async timeline(run) {
    return this.#timelines.get(run)?.captures ?? [];
  }

  async alerts(run) {
    return this.#alerts.get(run)?.alerts ?? [];
  }

  async sentences(run, layer, step) {
    return this.#sentences.get(key(run, layer, step))?.sentences ?? [];
  }

  async explained(run, layer, step) {
    const all = this.#explained.get(key(run, layer)) ?? [];
    return all.filter((each) => each.step <= step).at(-1) ?? all[0] ?? null;
  }

  capture(run, layer, step) {
    return this.#stored("capture", run, layer, step);
  }

  weights(run, layer, step) {
    return this.#stored("weights", run, layer, step);
  }

  async probe(run) {
    return inflated(this.#textOf(this.#numbers.get(key("probe", run)) ?? missing(`the probe's data of the run “${run}”`)));
  }

  async series(run, layer, cell) {
    const found = await seriesOf(this.#captures(run, layer), cell, { layer, run });
    return found ?? missing(`the unit ${cell.unit} at the timestep ${cell.timestep} of the sequence ${cell.sequence}`);
  }

  async history(run, layer, name) {
    const stored = this.#histories.get(key(run, layer, name));
    if (stored) return inflated(stored);
    const found = COMPUTED.includes(name) ? null : await historyOf(this.#captures(run, layer), name);
    return found ?? missing(`“${name}” of the layer “${layer}”`);
  }

  async #stored(kind, run, layer, step) {
    const number = this.#numbers.get(key(kind, run, layer, step)) ?? missing(`the ${kind} of the layer “${layer}” at step ${step}`);
    return dequantised(await inflated(this.#textOf(number)));
  }

  /** A layer's captures all along the training, one after the other, each with its step. */
  async *#captures(run, layer) {
    for (const step of spread(await this.steps(run, layer))) {
      yield [step, new Capture(await this.capture(run, layer, step))];
    }
  }
}

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** Python writes JSON with other spaces than JavaScript. */
function byKey(entries) {
  return new Map(Object.entries(entries).map(([name, value]) => [key(...JSON.parse(name)), value]));
}

function key(...parts) {
  return JSON.stringify(parts);
}

function missing(what) {
  throw new SourceError(`This report does not hold it. Asked for: ${what}.`, "missing");
}
