// A data source that asks routes: those of TensorBoard's plugin, those of `lstm-probe serve`, or the
// same ones in the kernel of a notebook.

import { Source, SourceError } from "./source.js";

export class HttpSource extends Source {
  #base;
  #runs;
  #period;
  #host;
  #ask;

  /**
   * @param host who answers, as sentences name it.
   * @param period milliseconds between two looks for something new.
   * @param base what stands before each route: nothing on a page, because addresses are relative to
   *     the page and it may be served under any path.
   * @param runs the request for the list of runs, if it is under way already.
   * @param headers what each request says besides.
   * @param ask a function from an address to the promise of a Response: `fetch`, or what stands for it.
   */
  constructor({ host, period, base = "", runs = null, headers = {}, ask = (address) => fetch(address, { headers }) }) {
    super();
    this.#host = host;
    this.#period = period;
    this.#base = base;
    this.#runs = runs;
    this.#ask = ask;
  }

  get grows() {
    return true;
  }

  async runs() {
    const asked = this.#runs;
    this.#runs = null; // the first answer is used once
    return (await this.#document("runs", {}, asked)).runs;
  }

  async layers(run) {
    return (await this.#document("layers", { run })).layers;
  }

  async steps(run, layer) {
    return (await this.#document("steps", { run, layer })).steps;
  }

  async timeline(run) {
    return (await this.#document("timeline", { run })).captures;
  }

  async alerts(run) {
    return (await this.#document("alerts", { run })).alerts;
  }

  async sentences(run, layer, step) {
    return (await this.#document("sentences", { run, layer, step })).sentences;
  }

  async explained(run, layer) {
    return (await this.#document("explained", { run, layer })).explained;
  }

  capture(run, layer, step) {
    return this.#bytes("capture", { run, layer, step });
  }

  weights(run, layer, step) {
    return this.#bytes("weights", { run, layer, step });
  }

  probe(run) {
    return this.#bytes("probe", { run });
  }

  series(run, layer, { sequence, timestep, unit }) {
    return this.#bytes("series", { run, layer, sequence, timestep, unit });
  }

  history(run, layer, name) {
    return this.#bytes("history", { run, layer, name });
  }

  fileAddress(run, layer, step, format) {
    return this.#address("download", { run, layer, step, format });
  }

  /** The routes tell of nothing by themselves, so the listener is called once in a while. */
  watch(listener) {
    let timer = 0;
    let over = false;
    const look = async () => {
      try {
        if (!globalThis.document?.hidden) await listener();
      } catch {
        // Nobody answers, or not now: the next look will tell.
      }
      if (!over) timer = setTimeout(look, this.#period);
    };
    timer = setTimeout(look, this.#period);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  async #document(route, parameters, asked = null) {
    return (await this.#answer(route, parameters, asked)).json();
  }

  async #bytes(route, parameters) {
    return (await this.#answer(route, parameters)).arrayBuffer();
  }

  #address(route, parameters) {
    const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return this.#base + (pairs.length ? `${route}?${pairs.join("&")}` : route);
  }

  async #answer(route, parameters, asked = null) {
    let answer;
    try {
      answer = await (asked ?? this.#ask(this.#address(route, parameters)));
    } catch (error) {
      if (error instanceof SourceError) throw error;
      throw new SourceError(`${this.#host} does not answer. Is it still running?`, "unreachable");
    }
    if (answer.ok) return answer;
    let message = `${this.#host} answered with status ${answer.status}.`;
    try {
      message = String((await answer.json()).error ?? message);
    } catch {
      // The answer is not one of the routes': the status has to do.
    }
    throw new SourceError(message, answer.status === 404 ? "missing" : "refused");
  }
}
