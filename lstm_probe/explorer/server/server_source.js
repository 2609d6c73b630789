// The data source of the served page: the routes of `lstm-probe serve`.

import { HttpSource } from "./http_source.js";

export class ServerSource extends HttpSource {
  #token;

  /**
   * @param token what the server asks for, if it was started with one.
   * @param options as for HttpSource.
   */
  constructor({ token = "", ...options } = {}) {
    super({ host: "lstm-probe serve", period: 2000, headers: token ? { Authorization: `Bearer ${token}` } : {}, ...options });
    this.#token = token;
  }

  get waitingText() {
    return "The log directory is read.";
  }

  get emptyText() {
    return "The log directory has no run that lstm_probe wrote. Attach it to a training that logs there; this page looks for new runs by itself.";
  }

  /** A link has no headers, so the token stands in the address. */
  fileAddress(...place) {
    const address = super.fileAddress(...place);
    return this.#token ? `${address}&token=${encodeURIComponent(this.#token)}` : address;
  }
}
