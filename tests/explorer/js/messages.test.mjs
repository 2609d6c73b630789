import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { load } from "./surroundings.mjs";

const { failure, problemOf } = await load("messages");
const { Source, SourceError } = await load("source");

/** The application, as far as a message looks at it. */
function app({ runs = [{ name: "r", layers: ["a"] }], state = {}, frames = [], listed = true, startError = null } = {}) {
  class Speaking extends Source {
    get waitingText() {
      return "Somebody lists the runs.";
    }

    get emptyText() {
      return "Somebody found none.";
    }
  }
  const data = { source: new Speaking(), listed, runs, run: (name) => runs.find((run) => run.name === name) ?? null };
  return { state: { run: "r", layers: ["a"], ...state }, data, frames, startError };
}

const said = (problem) => within(problem).textContent;

test("where there is something to show there is no problem", () => {
  assert.equal(problemOf(app()), null);
  assert.equal(problemOf(app({ frames: [{ a: {} }, { a: null, error: "gone" }] })), null);
});

for (const [what, changes, text] of [
  ["before the runs are listed", { listed: false }, "Reading the logs" + "Somebody lists the runs."],
  ["the runs could not be listed", { listed: false, startError: new SourceError("Nobody is there.", "unreachable") }, "No answer" + "Nobody is there."],
  ["there are no runs", { runs: [] }, "No gates in these logs yet" + "Somebody found none."],
  ["the run is not there", { state: { run: "<b>" } }, "No such run"],
  ["a layer is not there", { state: { layers: ["a", "x", "y"] } }, "has no layer “x”, “y”"],
  ["no layer is chosen", { state: { layers: [] } }, "No layer chosen"],
  ["no frame could be loaded", { frames: [{ a: null, error: "Torn.", cause: new Error("Torn.") }] }, "This cannot be shown" + "Torn."],
]) {
  test(`the reader is told what is wrong: ${what}`, () => assert.ok(said(problemOf(app(changes))).includes(text), said(problemOf(app(changes)))));
}

test("each kind of failure has a title, and the message is that of the source", () => {
  const titles = ["missing", "unreachable", "refused"].map((kind) => said(failure(new SourceError(" said.", kind))));
  assert.deepEqual(titles, ["Not there, or not any more said.", "No answer said.", "This cannot be shown said."]);
});
