// Shows the runs and captures that appear while a training runs. What the reader looks at stays.
//
// The source says when there may be something new; see `watch` in source.js.

/** Listing all runs takes longer than the steps of one layer, so it is done at every second look. */
const ROUNDS_PER_LISTING = 2;

export class Live {
  #round = 0;

  constructor(app) {
    this.app = app;
  }

  start() {
    this.#timeline();
    this.app.data.source.watch(() => this.#update());
  }

  async #update() {
    const { app } = this;
    const { data, state } = app;
    app.look();
    const before = JSON.stringify([data.runs.map(({ name, layers }) => [name, layers]), data.run(state.run)?.last]);
    this.#round += 1;
    const empty = !data.run(state.run);
    if (empty || this.#round % ROUNDS_PER_LISTING === 0) await data.loadRuns();
    const layers = state.layers.filter((layer) => data.run(state.run)?.layers.includes(layer));
    const grown = await Promise.all(layers.map((layer) => this.#grown(state.run, layer)));
    if (state.compare && state.runB && state.runB !== state.run) await Promise.all(layers.map((layer) => this.#grown(state.runB, layer)));
    const listed = JSON.stringify([data.runs.map(({ name, layers: all }) => [name, all]), data.run(state.run)?.last]);
    // What could not be shown because nobody answered is shown as soon as somebody does.
    const missed = app.frames.some((frame) => frame.cause?.kind === "unreachable");
    if (listed === before && !grown.some(Boolean) && !missed) return;
    if (!state.run || empty) await app.arrive();
    await this.#timeline();
    await app.refresh();
  }

  /** Whether a layer has other steps than before. */
  async #grown(run, layer) {
    const before = this.app.data.steps(run, layer);
    let after;
    try {
      after = await this.app.data.loadSteps(run, layer);
    } catch (error) {
      if (error.kind !== "missing") throw error;
      await this.app.data.loadRuns(); // the run has been deleted
      return true;
    }
    return before?.length !== after.length || before.at(-1) !== after.at(-1);
  }

  async #timeline() {
    const { run } = this.app.state;
    if (!run) return;
    await this.app.data.loadTimeline(run).catch(() => []);
    await this.app.refresh();
  }

  /** Another run was chosen. */
  changedRun() {
    if (!this.app.data.timeline(this.app.state.run).length) this.#timeline();
  }
}
