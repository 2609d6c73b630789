// The runs, steps and captures that the page has asked its source for. Each is asked for once, even by
// several callers at the same time, and captures are kept within a bound.

import { Cache } from "./cache.js";
import { Capture } from "./capture.js";
import { NO_DATA, ProbeData } from "./probe_data.js";
import { readSafetensors } from "./safetensors.js";

const CAPTURE_BYTES = 96 * 2 ** 20;
const COURSE_BYTES = 16 * 2 ** 20;

export class Data {
  runs = [];
  /** Whether the runs have been listed once. */
  listed = false;
  #captures = new Cache(CAPTURE_BYTES);
  #courses = new Cache(COURSE_BYTES);
  #pending = new Map();
  #steps = new Map();
  #orders = new Map();
  #timelines = new Map();
  #alerts = new Map();
  #explained = new Map();
  #analysed = new Map();

  /** @param source where the data comes from: see source.js. */
  constructor(source) {
    this.source = source;
  }

  async loadRuns() {
    this.runs = await this.source.runs();
    this.listed = true;
    return this.runs;
  }

  run(name) {
    return this.runs.find((run) => run.name === name) ?? null;
  }

  /** The steps of a layer that are known already; null if nobody has asked for them. */
  steps(run, layer) {
    return this.#steps.get(key(run, layer)) ?? null;
  }

  async loadSteps(run, layer) {
    const steps = await this.source.steps(run, layer);
    this.#steps.set(key(run, layer), steps);
    return steps;
  }

  /** The steps of all layers of a run, and the order of its layers. */
  async loadLayers(run) {
    const layers = await this.source.layers(run);
    for (const { name, steps } of layers) this.#steps.set(key(run, name), steps);
    this.#orders.set(run, layers.map(({ name }) => name));
  }

  /** The layers of a run, in the order of the model where it is known. */
  layers(run) {
    const stored = this.run(run)?.layers ?? [];
    const order = this.#orders.get(run) ?? [];
    return [...order.filter((layer) => stored.includes(layer)), ...stored.filter((layer) => !order.includes(layer))];
  }

  timeline(run) {
    return this.#timelines.get(run) ?? [];
  }

  /** The alerts of a run, the newest first. */
  alerts(run) {
    return this.#alerts.get(run) ?? [];
  }

  /** The captures of a run, and its alerts. */
  async loadTimeline(run) {
    const [captures, alerts] = await Promise.all([this.source.timeline(run), this.source.alerts(run)]);
    this.#timelines.set(run, captures);
    this.#alerts.set(run, alerts);
    return captures;
  }

  /** A capture that is here already; null if it is not. */
  captureNow(run, layer, step) {
    return this.#captures.get(key("capture", run, layer, step)) ?? null;
  }

  capture(run, layer, step) {
    return this.#once(this.#captures, key("capture", run, layer, step), async () => {
      const capture = new Capture(await this.source.capture(run, layer, step));
      return [capture, capture.bytes];
    });
  }

  weights(run, layer, step) {
    return this.#once(this.#captures, key("weights", run, layer, step), async () => {
      const buffer = await this.source.weights(run, layer, step);
      return [readSafetensors(buffer), buffer.byteLength];
    });
  }

  /** The probe's own data that is here already; null if it is not. */
  probeNow(run) {
    return this.#courses.get(key("probe", run)) ?? null;
  }

  /** The probe's inputs and targets: none where the log has none, or they cannot be read. */
  probe(run) {
    return this.#once(this.#courses, key("probe", run), async () => {
      try {
        const buffer = await this.source.probe(run);
        return [new ProbeData(buffer), buffer.byteLength];
      } catch (error) {
        if (error.kind === "unreachable") throw error;
        return [NO_DATA, 0]; // what is damaged or missing: the gates are shown without it
      }
    });
  }

  /** What the gates of a layer say at a step. A higher `version` asks again, as below. */
  sentences(run, layer, step, version) {
    return this.#once(this.#courses, key("sentences", run, layer, step, version), async () => {
      const sentences = await this.source.sentences(run, layer, step);
      return [sentences, JSON.stringify(sentences).length];
    });
  }

  /** What the newest analyses up to a step say of a layer; null without any. A higher `version` asks again, as below. */
  async explained(run, layer, step, version) {
    const ask = (at) =>
      this.#once(this.#courses, key("explained", run, layer, at, version), async () => {
        const explained = await this.source.explained(run, layer, at);
        return [{ found: explained }, JSON.stringify(explained).length];
      });
    // All steps between two analyses share one answer, once it is known when these were.
    const steps = this.#analysed.get(key(run, layer, version));
    const { found } = steps?.length === 0 ? { found: null } : await ask(steps?.findLast((each) => each <= step) ?? steps?.[0] ?? step);
    this.#analysed.set(key(run, layer, version), found?.steps ?? []);
    this.#explained.set(key(run, layer), found);
    return found;
  }

  /** The same, as far as it is here already; null otherwise. */
  explainedNow(run, layer) {
    return this.#explained.get(key(run, layer)) ?? null;
  }

  /** All gates of one cell over the training. A higher `version` asks again: there are more captures. */
  series(run, layer, sequence, timestep, unit, version) {
    return this.#course(key("series", run, layer, sequence, timestep, unit, version), () => this.source.series(run, layer, { sequence, timestep, unit }));
  }

  /** One array over the training; `version` is as for `series`. */
  history(run, layer, name, version) {
    return this.#course(key("history", run, layer, name, version), () => this.source.history(run, layer, name));
  }

  #course(name, ask) {
    return this.#once(this.#courses, name, async () => {
      const buffer = await ask();
      return [readSafetensors(buffer), buffer.byteLength];
    });
  }

  #once(cache, name, load) {
    const known = cache.get(name);
    if (known) return Promise.resolve(known);
    const pending = this.#pending.get(name);
    if (pending) return pending;
    const promise = load()
      .then(([value, size]) => {
        cache.set(name, value, size);
        return value;
      })
      .finally(() => this.#pending.delete(name));
    this.#pending.set(name, promise);
    return promise;
  }
}

/** The step of a sorted list that is nearest. */
export function nearest(steps, step) {
  if (!steps?.length) return null;
  if (step === null) return steps[steps.length - 1];
  return steps.reduce((best, each) => (Math.abs(each - step) < Math.abs(best - step) ? each : best), steps[0]);
}

function key(...parts) {
  return JSON.stringify(parts);
}
