import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const theme = await load("theme");
const { followTheme, inked } = theme;

/** A window inside of TensorBoard's, whose theme `dark` sets; `embedded` is false for a page of its own. */
function open({ dark = false, system = false, embedded = true, foreign = false } = {}) {
  const media = Object.assign(new EventTarget(), { matches: system });
  const list = new Set(dark ? ["dark-mode"] : []);
  const body = { classList: { contains: (name) => list.has(name) } };
  const observed = [];
  const watched = [];
  globalThis.MutationObserver = class {
    constructor(listener) {
      observed.push(listener);
    }

    observe(element) {
      watched.push(element);
    }
  };
  globalThis.document = { documentElement: { dataset: {} } };
  globalThis.window = { matchMedia: () => media };
  const parent = { document: { body } };
  Object.defineProperty(globalThis.window, "parent", {
    get() {
      if (foreign) throw new Error("SecurityError");
      return embedded ? parent : globalThis.window;
    },
  });
  globalThis.window.document = { body };
  return { media, list, watched, tell: () => observed.forEach((listener) => listener()), shown: () => globalThis.document.documentElement.dataset.theme };
}

test("a page of its own does not watch itself: it would see its own theme change for ever", () => {
  const { watched } = open({ embedded: false });
  followTheme(() => {});
  assert.deepEqual(watched, []);
});

test("inside of TensorBoard the theme is TensorBoard's, whatever the system prefers", () => {
  for (const dark of [false, true]) {
    const { shown } = open({ dark, system: !dark });
    followTheme(() => {});
    assert.equal(shown(), dark ? "dark" : "light");
  }
});

test("a page of its own, or in a frame of somebody else's, has the system's theme", () => {
  for (const where of [{ embedded: false }, { foreign: true }]) {
    for (const system of [false, true]) {
      const { shown } = open({ ...where, dark: !system, system });
      followTheme(() => {});
      assert.equal(shown(), system ? "dark" : "light");
    }
  }
});

test("a change of the theme is told, and everything that is drawn afterwards has its colours", () => {
  const { list, tell, shown } = open();
  const told = [];
  followTheme(() => told.push([shown(), inked(0), inked("muted")]));
  list.add("dark-mode");
  tell();
  assert.deepEqual(told, [["light", "#0072b2", "#5f6368"], ["dark", "#56b4e9", "#a8adb3"]]);
});

test("the system's change is told to a page of its own", () => {
  const { media, shown } = open({ embedded: false });
  let told = 0;
  followTheme(() => (told += 1));
  media.matches = true;
  media.dispatchEvent(new Event("change"));
  assert.deepEqual([told, shown()], [2, "dark"]);
});

test("gates have colours that differ, in both themes, and begin again after the last", () => {
  for (const dark of [false, true]) {
    open({ dark });
    followTheme(() => {});
    const { length } = theme.colours.series;
    const all = Array.from({ length }, (_, gate) => inked(gate));
    assert.equal(new Set(all).size, length);
    assert.ok(length >= 6); // an LSTM has six
    assert.equal(inked(length + 1), inked(1));
  }
});
