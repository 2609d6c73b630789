// Choosing among runs: a list, with a filter once there are many.

import { el, setOptions } from "./dom.js";
import { clipMiddle, distinct } from "./format.js";

const MANY = 12;
const LONGEST = 48;

export class RunPicker {
  constructor(caption, onchange) {
    this.runs = [];
    this.select = el("select", { "aria-label": caption, onchange: () => onchange(this.select.value) });
    this.filter = el("input", { type: "search", class: "filter", placeholder: "filter runs", "aria-label": `Filter ${caption}`, hidden: true, oninput: () => this.#list() });
    this.element = el("label", { class: "field run" }, el("span", {}, caption), this.filter, this.select);
  }

  show(runs, value) {
    this.runs = runs;
    this.value = value;
    this.filter.hidden = runs.length <= MANY;
    this.#list();
    this.select.title = value;
  }

  #list() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = this.runs.filter((name) => name === this.value || words.every((word) => name.toLowerCase().includes(word)));
    const short = new Map(distinct(this.runs).map((name, index) => [this.runs[index], name]));
    setOptions(this.select, matching.map((name) => [name, clipMiddle(short.get(name), LONGEST)]), this.value);
  }
}
