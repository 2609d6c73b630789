// The top of the right side: what the layer's gates say at this step, in sentences that lead to their views.

import { button, el, fill } from "./dom.js";

export class Sentences {
  #asked = "";

  constructor(app) {
    this.app = app;
    this.list = el("ul", {});
    this.head = el("h3", {});
    this.element = el("section", { class: "card sentences", hidden: true }, this.head, this.list);
  }

  /** @param frame what is shown, or null. */
  async show(frame) {
    if (!frame?.a) {
      this.element.hidden = true;
      this.#asked = "";
      return;
    }
    const { aRun: run, layer, a } = frame;
    const { data } = this.app;
    const wanted = JSON.stringify([run, layer, a.step, data.timeline(run).length]);
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    const found = await data.sentences(run, layer, a.step, data.timeline(run).length).catch(() => []);
    if (wanted !== this.#asked) return;
    this.element.hidden = !found.length;
    fill(this.head, this.app.frames.length > 1 ? `What ${layer} says` : "What the gates say");
    fill(this.list, found.map((sentence) => el("li", {}, this.#link(sentence))));
  }

  #link(sentence) {
    return button(`Show it: ${sentence.text}`, sentence.text, () => this.app.showSentence(sentence), { class: "sentence" });
  }
}
