// What is shown at once: for each chosen layer a capture, and in a comparison a second one.

import { nearest } from "./data.js";

const NEIGHBOURS = [1, -1, 2, 3];

export class Frames {
  constructor(data, state) {
    this.data = data;
    this.state = state;
  }

  /** The frames, if everything is here already; null otherwise. */
  now() {
    const places = this.#places();
    if (!places) return null;
    const frames = places.map((place) => this.#frame(place, (each) => this.data.captureNow(each.run, each.layer, each.step)));
    const { compare } = this.state;
    const complete = frames.every((frame) => frame.a && (!compare || frame.b));
    return complete && places.every((place) => this.#sorted(place)) ? frames : null;
  }

  async load() {
    const { run, layers, compare, runB } = this.state;
    if (!this.data.run(run)) return [];
    const known = layers.filter((layer) => this.data.run(run).layers.includes(layer));
    const wanted = known.map((layer) => [run, layer]);
    if (compare) wanted.push(...known.map((layer) => [runB || run, layer]));
    await Promise.all(wanted.map((place) => this.data.steps(...place) ?? this.data.loadSteps(...place).catch(() => [])));
    const places = this.#places(known) ?? [];
    return Promise.all(places.map((place) => this.#loaded(place)));
  }

  async #loaded(place) {
    const get = (each) => (each.step === null ? Promise.reject(new Error(`The run has no captures of “${each.layer}”.`)) : this.data.capture(each.run, each.layer, each.step));
    const [a, b] = await Promise.allSettled([get(place.a), place.b ? get(place.b) : null, ...this.#references(place).map(get)]);
    const frame = this.#frame(place, () => null);
    frame.a = a.status === "fulfilled" ? a.value : null;
    frame.b = b.status === "fulfilled" ? b.value : null;
    frame.error = a.reason?.message;
    frame.errorB = b.reason?.message;
    frame.cause = a.reason ?? null;
    return frame;
  }

  #frame(place, find) {
    return { layer: place.a.layer, aRun: place.a.run, bRun: place.b?.run ?? null, a: find(place.a), b: place.b ? find(place.b) : null };
  }

  #places(layers = this.state.layers) {
    const { run, step, compare, runB, stepB } = this.state;
    const steps = this.data.steps(run, layers[0]);
    if (!layers.length || layers.some((layer) => !this.data.steps(run, layer))) return null;
    const current = nearest(steps, step);
    return layers.map((layer) => {
      const a = { run, layer, step: nearest(this.data.steps(run, layer), current) };
      if (!compare) return { a, b: null };
      const other = runB || run;
      return { a, b: { run: other, layer, step: nearest(this.data.steps(other, layer), stepB ?? current) } };
    });
  }

  /** The captures by which the units are sorted. */
  #references({ a }) {
    const { sort, sortStep } = this.state;
    if (sort === "index" || a.step === null) return [];
    const steps = this.data.steps(a.run, a.layer);
    const wanted = sortStep === null ? [] : [nearest(steps, sortStep)];
    if (sort === "change") wanted.push(steps[0]);
    return wanted.map((step) => ({ ...a, step }));
  }

  #sorted(place) {
    return this.#references(place).every(({ run, layer, step }) => this.data.captureNow(run, layer, step));
  }

  /** Fetches the captures beside the present one, so that the next move of the slider is instant. */
  prefetch() {
    const places = this.#places() ?? [];
    for (const { a, b } of places) {
      for (const place of b && this.state.stepB === null ? [a, b] : [a]) {
        const steps = this.data.steps(place.run, place.layer) ?? [];
        const index = steps.indexOf(place.step);
        for (const by of NEIGHBOURS) {
          const step = steps[index + by];
          if (index >= 0 && step !== undefined) this.data.capture(place.run, place.layer, step).catch(() => {});
        }
      }
    }
  }
}
