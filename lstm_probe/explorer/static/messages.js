// The messages that stand where there is nothing to show. They say why, and what to do.

import { el } from "./dom.js";

const EXAMPLE = `from lstm_probe.callbacks import ProbeCallback

probe = ProbeCallback(x_test[:1], "logs/run1", every=100)
model.fit(x_train, y_train, callbacks=[probe])`;

export function message(title, text, ...more) {
  return el("div", { class: "message", role: "status" }, el("h2", {}, title), el("p", {}, text), ...more);
}

const TITLES = { missing: "Not there, or not any more", unreachable: "No answer" };

/** @param error a SourceError, or any other. */
export function failure(error) {
  return message(TITLES[error.kind] ?? "This cannot be shown", error.message);
}

/** What keeps the chosen runs and layers from being shown; null if nothing does. */
export function problemOf({ state, data, frames, startError }) {
  if (!data.listed && startError) return failure(startError);
  if (!data.listed) return message("Reading the logs", data.source.waitingText);
  if (!data.runs.length) return message("No gates in these logs yet", data.source.emptyText, el("pre", {}, EXAMPLE));
  const run = data.run(state.run);
  if (!run) return message("No such run", `There is no run “${state.run}” in these logs, or not any more. Choose another one above.`);
  const unknown = state.layers.filter((layer) => !run.layers.includes(layer));
  if (unknown.length) return message("No such layer", `The run “${state.run}” has no layer “${unknown.join("”, “")}”. Choose another one above.`);
  if (!state.layers.length) return message("No layer chosen", "Choose one or more layers above.");
  const failed = frames.find((frame) => frame.error);
  return failed && frames.every((frame) => !frame.a) ? failure(failed.cause) : null;
}
