// The pages beside the grid: titled charts on one sheet.

import { el, fill } from "./dom.js";

/** A titled block; `note` says how it is to be read. */
export function block(title, note, content, wide = false) {
  const head = el("h2", { "data-print": "" }, title);
  const text = el("p", { class: "note" }, note);
  const element = el("section", { class: wide ? "wide" : "" }, head, text, content);
  return {
    element,
    show(newTitle, newNote = note) {
      fill(head, newTitle);
      fill(text, newNote);
    },
  };
}

/** Says that a picture is an average, where the probe has several sequences. */
export function averaged({ batch, meta }) {
  const count = meta.shape?.[0] ?? batch;
  return count > 1 ? ` Averaged over all ${count} sequences of the probe.` : "";
}

/**
 * A view whose pictures need more than the present capture. `guard` gives a function that tells
 * whether its answer is still wanted.
 */
export class Sheet {
  #token = 0;

  constructor(app) {
    this.app = app;
    this.element = el("div", { class: "sheet" });
  }

  get frame() {
    return this.app.frames.find((frame) => frame.a) ?? null;
  }

  guard() {
    const token = ++this.#token;
    return () => token === this.#token;
  }

  /** The version of a course: it grows with the captures. */
  get version() {
    return this.app.steps.length;
  }

  /** Asks for an array over the training: `show` gets its steps and `{data, shape}`, while that is wanted. */
  async course(name, show, failed = () => {}, wanted = this.guard()) {
    const { aRun, layer } = this.frame;
    try {
      const { arrays } = await this.app.data.history(aRun, layer, name, this.version);
      if (wanted()) show(Array.from(arrays.get("steps").data), arrays.get("values"));
    } catch (error) {
      if (wanted()) failed(error);
    }
  }

  /** What all charts over the training have in common. */
  trainingAxis(steps) {
    return { xs: steps, xLabel: "training step", at: this.app.currentStep, pick: (index) => this.goTo(steps[index]) };
  }

  goTo(step) {
    this.app.state.set({ step });
  }
}
