// Walking through the training: a slider with play, and marks where alerts were raised.

import { button, el, fill, icon } from "./dom.js";
import { epoch, whole } from "./format.js";

const SPEEDS = [2, 5, 10, 20];

export class Slider {
  #timer = 0;

  /** @param actions `{go(index), busy(), alert(alert), live()}`. */
  constructor(name, actions, { withPlay = true, withLive = true } = {}) {
    this.actions = actions;
    this.range = el("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": `Training step${name ? ` of ${name}` : ""}`, oninput: () => actions.go(Number(this.range.value)) });
    this.marks = el("div", { class: "marks" });
    this.text = el("output", { class: "step", "aria-live": "off" });
    this.play = button("Play (space)", icon("play"), () => this.toggle(), { class: "icon play" });
    this.speed = el("select", { "aria-label": "Captures per second", title: "Captures per second" }, SPEEDS.map((each) => el("option", { value: each }, `${each}/s`)));
    this.speed.value = "5";
    this.live = button("Go along with the training: show the newest capture", "● Live", () => actions.live(), { class: "live" });
    const steps = [
      button("First capture (Home)", icon("first"), () => actions.go(0), { class: "icon" }),
      button("Capture before (←)", icon("before"), () => this.move(-1), { class: "icon" }),
      withPlay ? this.play : null,
      button("Next capture (→)", icon("next"), () => this.move(1), { class: "icon" }),
    ];
    this.element = el("div", { class: "slider", role: "group", "aria-label": name || "Training steps" }, name ? el("span", { class: "side" }, name) : null, steps, withPlay ? this.speed : null, el("div", { class: "track" }, this.range, this.marks), this.text, withLive ? this.live : null);
  }

  show({ steps, index, epochs, alerts = [], live }) {
    this.count = steps.length;
    this.range.max = Math.max(0, steps.length - 1);
    this.range.value = index;
    this.range.disabled = steps.length < 2;
    const at = !steps.length ? ["no captures"] : [`step ${whole(steps[index] ?? 0)}`, epoch(epochs?.get(steps[index])), `${index + 1} of ${steps.length}`];
    const text = at.filter(Boolean).join(" · ");
    this.text.value = text;
    this.range.setAttribute("aria-valuetext", text);
    this.live.setAttribute("aria-pressed", String(Boolean(live)));
    this.#showMarks(steps, alerts);
  }

  #showMarks(steps, alerts) {
    const signature = JSON.stringify([steps.length, steps.at(-1), alerts.length]);
    if (signature === this.signature) return;
    this.signature = signature;
    const byIndex = new Map();
    for (const alert of alerts) {
      const index = steps.findIndex((step) => step >= alert.step);
      if (index >= 0) byIndex.set(index, [...(byIndex.get(index) ?? []), alert]);
    }
    fill(
      this.marks,
      [...byIndex].map(([index, group]) => {
        const text = group.map((alert) => alert.text).join("\n");
        const mark = button(text, "", () => this.actions.alert(group[0]), { class: "mark" });
        const part = steps.length > 1 ? index / (steps.length - 1) : 0;
        mark.style.left = `calc(8px + ${part} * (100% - 16px))`;
        return mark;
      }),
    );
  }

  move(by) {
    const index = Number(this.range.value) + by;
    if (index >= 0 && index < this.count) this.actions.go(index);
  }

  toggle() {
    if (this.#timer) this.stop();
    else {
      if (Number(this.range.value) >= this.count - 1) this.actions.go(0);
      this.play.replaceChildren(icon("pause"));
      this.play.setAttribute("aria-pressed", "true");
      this.#tick();
    }
  }

  #tick() {
    this.#timer = setTimeout(() => {
      if (!this.actions.busy()) this.move(1);
      if (Number(this.range.value) >= this.count - 1) this.stop();
      else this.#tick();
    }, 1000 / Number(this.speed.value));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.play.replaceChildren(icon("play"));
    this.play.setAttribute("aria-pressed", "false");
  }
}
