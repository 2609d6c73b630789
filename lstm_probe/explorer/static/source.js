// The page's one interface to its data. The rest of the page knows no address and no server.
//
// A source answers the questions below. There are four: the routes of TensorBoard's plugin
// (tensorboard_source.js), those of `lstm-probe serve` (server_source.js), the kernel of a notebook
// (comm_source.js), and the captures inside a saved report (report_source.js).
//
// Names of runs and layers are strings, steps are whole numbers. Every answer is a promise. It
// fails with a SourceError, whose message is a sentence for the reader.
//
//   runs(), layers(run), steps(run, layer), timeline(run), alerts(run), sentences(run, layer, step),
//   explained(run, layer, step)                 lists and objects;
//   capture(run, layer, step), weights(run, layer, step), probe(run),
//   series(run, layer, {sequence, timestep, unit}), history(run, layer, name)
//                                               ArrayBuffers in the safetensors format.
//
// `explorer/answers.py` says of each what the answer is.

/** Why a source could not answer. */
export class SourceError extends Error {
  /**
   * @param message a sentence for the reader.
   * @param kind "missing": it is not there, or not any more; "unreachable": nobody answers;
   *     "refused": any other reason.
   */
  constructor(message, kind) {
    super(message);
    this.name = "SourceError";
    this.kind = kind;
  }
}

/** What sources have in common; a subclass answers the questions. */
export class Source {
  /** Whether new captures may appear. Such a source calls those that watch it. */
  get grows() {
    return false;
  }

  /** What the page says until `runs` is answered for the first time. */
  get waitingText() {
    return "The runs are being listed.";
  }

  /** What the page says if there are no runs. */
  get emptyText() {
    return "There is no run that lstm_probe wrote.";
  }

  /**
   * Calls a listener whenever there may be something new. The page then asks for what it shows.
   * The source waits for the listener's promise before it calls again.
   *
   * @returns a function that ends the watch.
   */
  watch() {
    return () => {};
  }

  /**
   * Where the browser finds a capture as a file for other programs.
   *
   * @param format "npz" or "csv".
   * @returns an address; null if this source makes no files.
   */
  fileAddress() {
    return null;
  }
}
