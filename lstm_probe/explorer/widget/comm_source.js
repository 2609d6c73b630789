// The data source of a notebook's cell: the kernel answers over the notebook's own connection.
//
// While a cell runs, as `fit` does, the kernel hears no question. So what it says unasked is kept, and
// questions are answered from that first. What was asked meanwhile is answered when the cell is over.

import { Cache } from "./cache.js";
import { Capture } from "./capture.js";
import { seriesOf } from "./courses.js";
import { HttpSource } from "./http_source.js";
import { SourceError } from "./source.js";

const BYTES = 96 * 2 ** 20;
/** Milliseconds that the kernel is waited for; once it is known to be busy, nobody waits. */
const PATIENCE = 1000;
/** What is the same whenever it is asked for, until its run grows. */
const KEPT = ["runs", "layers", "timeline", "alerts", "capture", "weights", "sentences", "probe"];
const LISTED = ["layers", "timeline", "alerts"];
const BUSY = "The kernel is busy, and this has not arrived. It is shown as soon as the cell is over.";

export class CommSource extends HttpSource {
  #model;
  #arrived = new Cache(BYTES);
  #waiting = new Map();
  #listeners = new Set();
  #number = 0;
  #busy = false;
  #working = false;
  #telling = null;

  /** @param model anywidget's: `opening` holds what the kernel said at first, by address. */
  constructor(model) {
    super({ host: "The kernel", period: 0, ask: (address) => this.#ask(address) });
    this.#model = model;
    for (const [address, data] of Object.entries(model.get("opening") ?? {})) this.#keep(address, data);
    model.on("msg:custom", (content, buffers) => this.heard(content, buffers));
  }

  get waitingText() {
    return "The kernel is asked for its runs.";
  }

  get emptyText() {
    return "Nothing has been captured yet. As soon as a training with the probe begins, its gates appear here by themselves.";
  }

  /** The run that the probe writes, once it does. */
  opened = null;

  async steps(run, layer) {
    const found = (await this.layers(run)).find(({ name }) => name === layer);
    if (found) return found.steps;
    throw new SourceError(`There is no such layer, or not any more: “${layer}” of the run “${run}”.`, "missing");
  }

  async sentences(...place) {
    return super.sentences(...place).catch((error) => {
      if (error.kind === "unreachable") return [];
      throw error;
    });
  }

  /** While the kernel is busy, the course of a cell is that over the captures that have arrived. */
  async series(run, layer, cell) {
    try {
      return await super.series(run, layer, cell);
    } catch (error) {
      const found = error.kind === "unreachable" ? await seriesOf(this.#captures(run, layer, await this.steps(run, layer)), cell, { layer, run }) : null;
      if (found) return found;
      throw error;
    }
  }

  /** A page in a cell has no address from which a browser could fetch. */
  fileAddress() {
    return null;
  }

  watch(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  *#captures(run, layer, steps) {
    for (const step of steps) {
      const data = this.#arrived.get(`capture?run=${encodeURIComponent(run)}&layer=${encodeURIComponent(layer)}&step=${step}`);
      if (data) yield [step, new Capture(data)];
    }
  }

  async #ask(address) {
    const known = this.#arrived.get(address);
    if (known) return new Response(known);
    const asked = this.#waiting.get(address) ?? this.#send(address);
    const reply = await Promise.race([asked.promise, this.#patience()]);
    if (reply) return reply.clone();
    this.#busy = true;
    asked.missed = true;
    throw new SourceError(BUSY, "unreachable");
  }

  /** Ends when the kernel has heard nothing for a while; one that works on an answer is waited for. */
  async #patience() {
    let left = this.#busy ? 0 : PATIENCE;
    do {
      await new Promise((resolve) => setTimeout(resolve, left));
      left = PATIENCE;
    } while (this.#working);
  }

  #send(address) {
    const asked = { missed: false };
    asked.promise = new Promise((resolve) => (asked.resolve = resolve));
    this.#waiting.set(address, asked);
    this.#model.send({ ask: ++this.#number, address });
    return asked;
  }

  /** What the kernel says. */
  heard(content, buffers = []) {
    if (content.heard !== undefined) this.#working = true;
    else if (content.reply !== undefined) this.#replied(content, buffers[0]);
    else if (content.grown) {
      for (const run of content.grown) for (const route of LISTED) this.#arrived.delete(`${route}?run=${encodeURIComponent(run)}`);
      content.addresses.forEach((address, index) => this.#keep(address, buffers[index]));
      this.opened = content.open ?? this.opened;
      this.#tell();
    }
  }

  #replied({ address, status }, data) {
    this.#busy = false;
    this.#working = false;
    const asked = this.#waiting.get(address);
    this.#waiting.delete(address);
    const bytes = bytesOf(data);
    if (status === 200) this.#keep(address, data);
    asked?.resolve(new Response(bytes, { status }));
    if (asked?.missed) this.#tell();
  }

  #keep(address, data) {
    if (!KEPT.includes(address.split("?")[0])) return;
    const bytes = bytesOf(data);
    this.#arrived.set(address, bytes, bytes.byteLength);
  }

  /** Calls those that watch, one call at a time; several wishes meanwhile are one. */
  async #tell() {
    if (this.#telling) {
      this.#telling.again = true;
      return;
    }
    this.#telling = { again: true };
    while (this.#telling.again) {
      this.#telling.again = false;
      for (const listener of this.#listeners) {
        try {
          await listener();
        } catch {
          // The next word of the kernel calls it again.
        }
      }
    }
    this.#telling = null;
  }
}

/** Notebooks hand over bytes as a view of something larger, or as a buffer. */
function bytesOf(data) {
  return data instanceof ArrayBuffer ? data.slice(0) : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
}
