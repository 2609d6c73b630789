// The page's one interface to its data. The rest of the page knows no address and no server.
//
// A source answers the questions below. There are four: the routes of TensorBoard's plugin
// (tensorboard_source.js), those of `lstm-probe serve` (server_source.js), the kernel of a notebook
// (comm_source.js), and the captures inside a saved report (report_source.js).
//
// Names of runs and layers are strings, steps are whole numbers. Every answer is a promise. It
// fails with a SourceError, whose message is a sentence for the reader.
//
//   runs()                    [{name, layers, weights, last}]: the runs, sorted by name; the names
//                             of their layers, and of the layers whose weights are stored, each
//                             sorted; and the last step. No data is read for it.
//   layers(run)               [{name, steps}]: the layers in the order of the model, and for each
//                             the sorted steps at which it was captured.
//   steps(run, layer)         [step]: the same steps, of one layer.
//   timeline(run)             [{step, epoch, layers, training, ...}]: the summary of each capture, by
//                             step; an empty list for a run that has none, or that is not there.
//   alerts(run)               [{rule, layer, step, text, state, until, ...}]: every alert of a run, the
//                             newest first. Its `state` is "standing", "noted" or "cleared"; one that
//                             has cleared stood `until` a step. An empty list likewise.
//   sentences(run, layer, step)
//                             [{text, value, view, unit, step}]: what the gates of a layer say at a
//                             step, each with its number and the view that shows it; unit and step
//                             are null where it is about no single one. An empty list if nothing is
//                             known, as of older logs.
//   explained(run, layer)     {step, findings, missing, notes, asked_of}: what the analyses at the end of a
//                             training say: by the name of each analysis its findings, with their
//                             `sentences`, or why it is missing. Numbers that are not finite are
//                             strings. null if no analyses were made, or there is no such layer.
//   capture(run, layer, step) an ArrayBuffer in the safetensors format, for `new Capture(buffer)`.
//   weights(run, layer, step) an ArrayBuffer likewise, for `readSafetensors(buffer)`.
//   probe(run)                an ArrayBuffer likewise: the probe's own inputs and targets, for
//                             `new ProbeData(buffer)`; without any where the log holds none.
//   series(run, layer, {sequence, timestep, unit})
//                             an ArrayBuffer likewise: all gates of one cell over the training, as
//                             `steps` (n,) and `gates/<letter>` (n,), NaN where a gate lacks the
//                             unit. The three numbers are original indices.
//   history(run, layer, name) an ArrayBuffer likewise: one array with one axis, such as `horizon`,
//                             over the training, as `steps` (n,) and `values` (n, length). The name
//                             `error_by_timestep` stands for the rows of the timeline.
//
// Of trainings with more than 400 captures, `series` and `history` take 400, evenly spaced.

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
