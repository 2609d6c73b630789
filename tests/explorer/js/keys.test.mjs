import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

globalThis.document = new EventTarget();
const { listenKeys } = await load("keys");

const done = [];
listenKeys({ steps: [3, 4, 9], go: (index) => done.push(["go", index]), slider: { move: (by) => done.push(["move", by]), toggle: () => done.push(["toggle"]) }, toolbar: { help: { toggle: () => done.push(["help"]) } } });

/** Presses a key while the focus is in an element that one selector names; returns what was done. */
function press(key, { inside = null, ...more } = {}) {
  done.length = 0;
  const event = Object.assign(new Event("keydown", { cancelable: true }), { key, ...more });
  const target = { closest: (selector) => (inside !== null && selector.split(", ").includes(inside) ? {} : null) };
  Object.defineProperty(event, "target", { value: target });
  document.dispatchEvent(event);
  assert.equal(event.defaultPrevented, done.length > 0);
  return done.slice();
}

test("keys walk through the training", () => {
  assert.deepEqual(["ArrowLeft", "ArrowRight", "Home", "End", " "].map((key) => press(key)), [[["move", -1]], [["move", 1]], [["go", 0]], [["go", 2]], [["toggle"]]]);
  assert.deepEqual(press("?"), [["help"]]);
  assert.deepEqual(["a", "Tab", "ArrowUp"].map((key) => press(key)), [[], [], []]);
});

test("keys that something else wants are left to it", () => {
  for (const inside of ["input", "select", "textarea", "summary", "[role=application]", ".menu-panel"]) assert.deepEqual(press("ArrowLeft", { inside }), []);
  for (const held of ["ctrlKey", "metaKey", "altKey"]) assert.deepEqual(press("Home", { [held]: true }), []);
  for (const inside of ["button", "a"]) {
    assert.deepEqual(press(" ", { inside }), []);
    assert.deepEqual(press("ArrowLeft", { inside }), [["move", -1]]);
  }
});
