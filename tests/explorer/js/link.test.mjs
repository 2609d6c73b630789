import assert from "node:assert/strict";
import test, { mock } from "node:test";

import { load } from "./surroundings.mjs";

const { linkTo, readLink, writeLink } = await load("link");

/** A window of TensorBoard with an address; `history` notes what replaces it. */
function open(hash) {
  const replaced = [];
  const location = { hash, href: `http://localhost:6006/?x=1${hash}` };
  globalThis.window = { parent: { location, history: { state: { own: 1 }, replaceState: (...all) => replaced.push(all) } } };
  return replaced;
}

/** A frame of somebody else's page, which nobody may look out of. */
function openElsewhere() {
  globalThis.window = {
    get parent() {
      throw new Error("SecurityError");
    },
  };
}

test("the parameters are what follows the tab's name in the address", () => {
  for (const [hash, parameters] of [["#lstm_probe&run=a&step=3", "run=a&step=3"], ["#lstm_probe", ""], ["#scalars&run=a", ""], ["", ""]]) {
    open(hash);
    assert.equal(readLink(), parameters);
  }
});

test("a link is TensorBoard's address and the parameters", () => {
  open("#lstm_probe&run=a");
  assert.equal(linkTo("step=3"), "http://localhost:6006/?x=1#lstm_probe&step=3");
  assert.equal(linkTo(""), "http://localhost:6006/?x=1#lstm_probe");
});

test("in somebody else's page there is no address to read, and a link is the end of one", () => {
  openElsewhere();
  assert.equal(readLink(), "");
  assert.equal(linkTo("step=3"), "#lstm_probe&step=3");
});

/** What the address bar shows in the end, after some parameters in a row. */
async function written(...parameters) {
  for (const each of parameters) writeLink(each);
  await new Promise((resolve) => setTimeout(resolve, 300));
}

test("of many views in a row the last one gets into the address bar, once", async () => {
  const replaced = open("#lstm_probe&run=a");
  await written("step=1", "step=2", "step=3");
  assert.deepEqual(replaced, [[{ own: 1 }, "", "http://localhost:6006/?x=1#lstm_probe&step=3"]]);
});

test("the address of another tab is left alone", async () => {
  const replaced = open("#scalars");
  await written("step=3");
  assert.deepEqual(replaced, []);
});

test("where the address cannot be written nothing is thrown", async () => {
  openElsewhere();
  const thrown = mock.fn();
  process.once("uncaughtException", thrown);
  await written("step=3");
  process.off("uncaughtException", thrown);
  assert.equal(thrown.mock.callCount(), 0);
});
