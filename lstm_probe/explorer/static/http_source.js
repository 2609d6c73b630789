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
    return this.#told("runs", {}, "runs", asked);
  }

  layers(run) {
    return this.#told("layers", { run });
  }

  steps(run, layer) {
    return this.#told("steps", { run, layer });
  }

  timeline(run) {
    return this.#told("timeline", { run }, "captures");
  }

  alerts(run) {
    return this.#told("alerts", { run });
  }

  sentences(run, layer, step) {
    return this.#told("sentences", { run, layer, step });
  }

  explained(run, layer, step) {
    return this.#told("explained", { run, layer, step });
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

  async #told(route, parameters, field = route, asked = null) {
    return (await (await this.#answer(route, parameters, asked)).json())[field];
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
