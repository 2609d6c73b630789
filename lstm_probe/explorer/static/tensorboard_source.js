// The data source of the tab: the routes of the plugin inside TensorBoard.

import { HttpSource } from "./http_source.js";

export class TensorBoardSource extends HttpSource {
  /** @param options as for HttpSource. */
  constructor(options = {}) {
    super({ host: "TensorBoard", period: 5000, ...options });
  }

  get waitingText() {
    return "TensorBoard lists its runs.";
  }

  get emptyText() {
    return "TensorBoard has found no run that lstm_probe wrote. Attach it to a training, and point --logdir at its log directory; this page looks for new runs by itself.";
  }
}
