import assert from "node:assert/strict";
import test, { mock } from "node:test";

import { load } from "./surroundings.mjs";

const { Link, parametersOf } = await load("link");

/** A window of TensorBoard with an address; `history` notes what replaces it. */
function open(hash) {
  const replaced = [];
  const location = { hash, href: `http://localhost:6006/?x=1${hash}` };
  const parent = { location, history: { state: { own: 1 }, replaceState: (...all) => replaced.push(all) } };
  return { link: new Link(() => parent), replaced };
}

/** A frame of somebody else's page, which nobody may look out of. */
function openElsewhere() {
  return new Link(() => {
    throw new Error("SecurityError");
  });
}

test("the parameters are what follows the tab's name in the address", () => {
  for (const [hash, parameters] of [["#lstm_probe&run=a&step=3", "run=a&step=3"], ["#lstm_probe", ""], ["#scalars&run=a", ""], ["", ""]]) {
    assert.equal(open(hash).link.read(), parameters);
    assert.equal(parametersOf(hash), parameters);
  }
});

test("a link is TensorBoard's address and the parameters", () => {
  const { link } = open("#lstm_probe&run=a");
  assert.equal(link.to("step=3"), "http://localhost:6006/?x=1#lstm_probe&step=3");
  assert.equal(link.to(""), "http://localhost:6006/?x=1#lstm_probe");
});

test("in somebody else's page there is no address to read, and a link is the end of one", () => {
  const link = openElsewhere();
  assert.equal(link.read(), "");
  assert.equal(link.to("step=3"), "#lstm_probe&step=3");
});

/** What the address bar shows in the end, after some parameters in a row. */
async function written(link, ...parameters) {
  for (const each of parameters) link.write(each);
  await new Promise((resolve) => setTimeout(resolve, 300));
}

test("of many views in a row the last one gets into the address bar, once", async () => {
  const { link, replaced } = open("#lstm_probe&run=a");
  await written(link, "step=1", "step=2", "step=3");
  assert.deepEqual(replaced, [[{ own: 1 }, "", "http://localhost:6006/?x=1#lstm_probe&step=3"]]);
});

test("the address of another tab is left alone", async () => {
  const { link, replaced } = open("#scalars");
  await written(link, "step=3");
  assert.deepEqual(replaced, []);
});

test("where the address cannot be written nothing is thrown", async () => {
  const link = openElsewhere();
  const thrown = mock.fn();
  process.once("uncaughtException", thrown);
  await written(link, "step=3");
  process.off("uncaughtException", thrown);
  assert.equal(thrown.mock.callCount(), 0);
});

test("without TensorBoard the address is the page's own", () => {
  globalThis.window = { location: { hash: "#lstm_probe&run=a", href: "http://localhost:6007/?token=x#lstm_probe&run=a" } };
  assert.equal(new Link().read(), "run=a");
  assert.equal(new Link().to("run=b"), "http://localhost:6007/?token=x#lstm_probe&run=b");
});
