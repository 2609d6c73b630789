// The application holds everything together: the state, the data, the frames that are shown, and the
// views that show them.

import { comparableRuns, comparisonOf, firstComparison } from "./comparison.js";
import { ComputesView, effects } from "./computes_view.js";
import { Data, nearest } from "./data.js";
import { el, fill } from "./dom.js";
import { Frames } from "./frames.js";
import { GatesView } from "./gates_view.js";
import { GradientView } from "./gradient_view.js";
import { Inspector } from "./inspector.js";
import { listenKeys } from "./keys.js";
import { Link } from "./link.js";
import { Live } from "./live.js";
import { MemoryView } from "./memory_view.js";
import { failure, problemOf } from "./messages.js";
import { frameOrder } from "./order.js";
import { NO_DATA } from "./probe_data.js";
import { ParityView } from "./parity_view.js";
import { ProbeView } from "./probe_view.js";
import { SaturationView } from "./saturation_view.js";
import { saveSvg, saveView } from "./save.js";
import { Slider } from "./slider.js";
import { State } from "./state.js";
import { followTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { TrainingChart } from "./training_chart.js";
import { hideTooltip } from "./tooltip.js";
import { WeightsView } from "./weights_view.js";

const RENDERED = "lstm-probe-rendered";

export class App {
  frames = [];
  #wanted = false;
  #loading = false;

  /**
   * @param source where the data comes from: see source.js.
   * @param link where the view's address stands: see link.js.
   */
  constructor(source, link = new Link()) {
    this.link = link;
    this.state = new State(State.decode(link.read()));
    this.data = new Data(source);
    this.loader = new Frames(this.data, this.state);
    this.toolbar = new Toolbar(this);
    this.slider = new Slider("", { go: (index) => this.go(index), busy: () => this.#loading, alert: (alert) => this.showAlert(alert), live: () => this.state.set({ step: this.state.step === null ? this.currentStep : null }) }, { withLive: source.grows });
    this.sliderB = new Slider("B", { go: (index) => this.state.set({ stepB: this.stepsB[index] }), busy: () => this.#loading, alert: () => {}, live: () => {} }, { withPlay: false, withLive: false });
    this.training = new TrainingChart(this);
    this.inspector = new Inspector(this);
    this.views = { gates: new GatesView(this), parity: new ParityView(this), saturation: new SaturationView(this), gradient: new GradientView(this), memory: new MemoryView(this), weights: new WeightsView(this), probe: new ProbeView(this), computes: new ComputesView(this) };
    this.live = new Live(this);
    this.state.onchange((values) => this.#changed(values));
  }

  attach(body) {
    this.view = el("div", { class: "view", id: "view", role: "region", "aria-label": "View", tabindex: 0 }); // without a focus it could not be scrolled by keys
    this.runB = this.toolbar.pickerB((run) => this.state.set({ runB: run, stepB: null }), () => this.state.set({ stepB: null }));
    this.rowB = el("div", { class: "player second", hidden: true }, this.runB.element, this.sliderB.element, this.runB.link);
    this.notCompared = el("p", { class: "not-compared", role: "status", hidden: true });
    this.root = el("main", { class: "explorer" }, this.toolbar.element, this.training.element, el("div", { class: "player" }, this.slider.element), this.rowB, this.notCompared, this.toolbar.second, el("div", { class: "body" }, this.view, this.inspector.element));
    this.announce = el("div", { class: "hidden", role: "status", "aria-live": "polite" });
    fill(body, this.root, this.announce);
    followTheme(() => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(this.view);
    listenKeys(this);
    this.refresh();
  }

  async load() {
    try {
      await this.data.loadRuns();
      await this.#place();
      await this.refresh();
    } catch (error) {
      this.startError = error;
      if (this.view) this.render();
    }
    this.live.start();
  }

  /** The run and layers of a link; otherwise the first run, and the first layer of its model. */
  async #place() {
    const { state, data } = this;
    if (!state.run && data.runs.length) state.run = data.runs[0].name;
    if (!data.run(state.run)) return;
    await data.loadLayers(state.run).catch(() => {}); // without it they stand in alphabetical order
    if (state.layers.length) return;
    state.layers = this.layerNames.slice(0, 1);
  }

  /** The layers of the run, in the order of the model where it is known. */
  get layerNames() {
    return this.data.layers(this.state.run);
  }

  get steps() {
    return this.data.steps(this.state.run, this.state.layers[0]) ?? [];
  }

  get stepsB() {
    return this.data.steps(this.state.runB || this.state.run, this.state.layers[0]) ?? [];
  }

  /** The inputs and targets of the run's probe: none where the log has none. */
  get probe() {
    return this.data.probeNow(this.state.run) ?? NO_DATA;
  }

  get currentStep() {
    return nearest(this.steps, this.state.step);
  }

  #changed(values) {
    this.link.write(this.state.encode());
    const names = Object.keys(values);
    if (names.every((name) => name === "zoom")) {
      this.views.gates.draw();
      this.toolbar.render();
    } else this.refresh();
  }

  /** Loads what is wanted and shows it; while that is under way, only the newest wish is kept. */
  async refresh() {
    this.#wanted = true;
    if (this.#loading) return;
    this.#loading = true;
    try {
      while (this.#wanted) {
        this.#wanted = false;
        const frames = this.loader.now() ?? (await this.loader.load());
        if (frames.some((frame) => frame.a) && !this.data.probeNow(this.state.run)) await this.data.probe(this.state.run).catch(() => {});
        this.#accept(frames);
      }
    } catch (error) {
      this.problem = error;
      if (this.view) this.#show(failure(error));
    } finally {
      this.#loading = false;
    }
  }

  #accept(frames) {
    this.problem = null;
    this.frames = frames;
    if (this.view) this.render();
  }

  render() {
    if (this.state.view !== "gates") hideTooltip();
    this.toolbar.render();
    this.#sliders();
    const problem = problemOf(this);
    this.root.classList.toggle("empty", Boolean(problem) && !this.frames.some((frame) => frame.a));
    this.root.classList.toggle("blank", this.data.listed && !this.data.runs.length);
    this.inspector.render();
    if (problem) this.#show(problem);
    else {
      const view = this.views[this.state.view];
      if (this.view.firstChild !== view.element) this.#show(view.element);
      view.render();
    }
    if (this.frames.length) document.dispatchEvent(new CustomEvent(RENDERED, { detail: this.frames[0].a?.step ?? null }));
    this.loader.prefetch();
    this.#learnEffects();
  }

  /** Where the analyses tell how much each unit matters, the units can be sorted by it. */
  #learnEffects() {
    for (const { a, aRun, layer } of this.frames) {
      if (!a) continue;
      const known = this.data.explainedNow(aRun, layer);
      this.data.explained(aRun, layer, a.step, this.steps.length).then((found) => found !== known && effects(found) && this.render()).catch(() => {});
    }
  }

  effects({ aRun, layer }) {
    return effects(this.data.explainedNow(aRun, layer));
  }

  #sliders() {
    const { state, steps } = this;
    this.training.show(this.data.timeline(state.run), this.currentStep);
    const epochs = new Map(this.data.timeline(state.run).map((capture) => [capture.step, capture.epoch]));
    const alerts = this.data.alerts(state.run).filter(({ state: now }) => now !== "noted");
    this.slider.show({ steps, index: Math.max(0, steps.indexOf(this.currentStep)), epochs, alerts, live: state.step === null });
    const two = state.compare && state.view === "gates";
    this.rowB.hidden = !two;
    this.notCompared.hidden = true;
    if (!two) return;
    const { runs, hidden } = comparableRuns(this.data.runs, state.layers);
    const runB = state.runB || state.run;
    this.runB.show(runs.includes(runB) ? runs : [...runs, runB], runB, state.stepB === null);
    this.#sayWhatIsNotCompared(hidden);
    const stepB = nearest(this.stepsB, state.stepB ?? this.currentStep);
    this.sliderB.show({ steps: this.stepsB, index: Math.max(0, this.stepsB.indexOf(stepB)) });
  }

  #sayWhatIsNotCompared(hidden) {
    const { frames, state } = this;
    const said = frames.flatMap(({ layer, a, b }) => {
      const { reasons } = a && b ? comparisonOf(a, b, state.sequence) : { reasons: [] };
      return reasons.map((reason) => (frames.length > 1 ? `${layer}: ${reason}` : reason));
    });
    this.notCompared.textContent = [...said, hidden].filter(Boolean).join(" ");
    this.notCompared.hidden = !this.notCompared.textContent;
  }

  #show(element) {
    if (element) fill(this.view, element);
  }

  redraw() {
    if (!this.view || !this.frames.length || problemOf(this)) return;
    this.views[this.state.view].draw();
    this.inspector.draw();
    this.training.draw();
  }

  viewBox() {
    return { width: this.view.clientWidth, height: this.view.clientHeight };
  }

  orderFor(frame) {
    const steps = this.data.steps(frame.aRun, frame.layer);
    const held = (step) => {
      const capture = this.data.captureNow(frame.aRun, frame.layer, step);
      return capture?.units === frame.a.units ? capture : null;
    };
    return frameOrder(held(nearest(steps, this.state.sortStep ?? frame.a.step)) ?? frame.a, this.state, held(steps?.[0]), this.effects(frame));
  }

  go(index) {
    const step = this.steps[index];
    if (step !== undefined) this.state.set({ step });
  }

  /** There may be something new that comes without a capture. */
  look() {
    this.views[this.state.view].look?.();
  }

  /** The first runs have come. */
  arrive() {
    return this.#place();
  }

  async chooseRun(run) {
    await this.data.loadLayers(run).catch(() => {});
    const { layers } = this.state;
    this.state.run = run;
    const kept = layers.filter((layer) => this.layerNames.includes(layer));
    this.state.set({ run, layers: kept.length ? kept : this.layerNames.slice(0, 1), sortStep: null });
    this.live.changedRun();
  }

  chooseLayers(layers) {
    if (layers.length) this.state.set({ layers });
  }

  sortBy(values) {
    this.state.set({ ...values, sortStep: this.currentStep });
  }

  toggleCompare() {
    const { state, data } = this;
    if (state.compare) return state.set({ compare: false });
    const { runs } = comparableRuns(data.runs, state.layers);
    const chosen = runs.includes(state.runB) && (state.runB !== state.run || state.stepB !== null);
    if (chosen) return state.set({ compare: true });
    return state.set({ compare: true, ...firstComparison(state.run, this.steps, runs) });
  }

  pick(unit, time, layer = null) {
    this.state.set({ unit, time });
    this.announce.textContent = this.inspector.sentence(layer);
  }

  showAlert(alert) {
    const known = this.layerNames.includes(alert.layer);
    const values = { step: nearest(this.steps, alert.step) };
    if (known && !this.state.layers.includes(alert.layer)) values.layers = [alert.layer];
    if (Number.isInteger(alert.unit)) Object.assign(values, { unit: alert.unit, time: alert.timestep ?? this.state.time ?? 0 });
    this.state.set(values);
  }

  /** Goes to where a sentence can be seen. */
  showSentence({ view, unit, step }) {
    const values = { view };
    if (step !== null) values.step = nearest(this.steps, step);
    if (unit !== null) Object.assign(values, { unit, time: this.state.time ?? 0 });
    this.state.set(values);
  }

  async copyLink(place) {
    const link = this.link.to(new State({ ...this.state, step: this.currentStep }).encode());
    try {
      await navigator.clipboard.writeText(link);
      place.textContent = "Copied";
    } catch {
      window.prompt("The link to this view:", link); // no clipboard without https
    }
    setTimeout(() => (place.textContent = "Copy link"), 1500);
  }

  /** @param kind "png", or "svg". */
  savePicture(kind = "png") {
    const { state } = this;
    const a = this.frames.find((frame) => frame.a)?.a;
    const name = a?.names?.[Math.min(state.sequence, a.batch - 1)];
    const title = `${state.run} · ${state.layers.join(", ")} · step ${this.currentStep}${name ? ` · ${name}` : ""}`;
    const file = `${state.layers[0] ?? "gates"}-${state.view}-${this.currentStep}.${kind}`;
    return kind === "svg" ? saveSvg(this.view, title, file, () => this.redraw()) : saveView(this.view, title, file);
  }
}
