import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { SORTS, State, VIEWS } = await load("state");
const { MAPS } = await load("colour");

test("the usual view has an empty link", () => {
  assert.equal(new State().encode(), "");
  assert.deepEqual(State.decode(""), {});
});

test("a link says all that differs, and nothing else", () => {
  rounds(300, ({ whole, next, pick, text, between }) => {
    const parts = () => [between(0, 0.5), between(0.5, 1)].map((part) => Number(part.toFixed(5)));
    const all = {
      run: text(1 + whole(12)),
      layers: Array.from({ length: 1 + whole(4) }, () => `${text(whole(6))},&=%"#${whole(9)}`),
      step: whole(1e9),
      view: pick(VIEWS.slice(1)),
      sequence: 1 + whole(9),
      unit: whole(900),
      time: whole(900),
      sort: pick(SORTS.slice(1)),
      sortGate: pick(["f", "z"]),
      sortStep: whole(900),
      map: pick(MAPS.slice(1)),
      range: pick(["data", "custom"]),
      low: Number(between(-9, -1).toFixed(5)),
      high: Number(between(2, 9).toFixed(5)),
      zoom: [...parts(), ...parts()],
      columns: 1 + whole(6),
      compare: true,
      runB: text(3),
      stepB: whole(900),
    };
    const values = Object.fromEntries(Object.entries(all).filter(() => next() < 0.6));
    const link = new State(values).encode();
    assert.match(link, /^[\w.~!*'()%&=-]*$/); // no character that an address bar changes
    assert.deepEqual(State.decode(link), values);
    assert.equal(new State(State.decode(link)).encode(), link);
  });
});

for (const [what, link] of [
  ["no value", "step"],
  ["an unknown name", "nothing=1&constructor=2&__proto__=3&encode=4"],
  ["a step that is no number", "step=abc&unit=NaN&time=Infinity&columns="],
  ["a view, sort and range of the reader's own", "view=%3Cb%3E&sort=constructor&range=toString"],
  ["a colour map of the reader's own", "map=constructor"],
  ["a zoom outside of the picture", "zoom=0%2C2%2C0%2C1"],
  ["a zoom that is turned round", "zoom=0.5%2C0.2%2C0%2C1"],
  ["a zoom of three numbers", "zoom=0%2C1%2C0"],
  ["a zoom of no numbers", "zoom=a%2Cb%2Cc%2Cd"],
  ["half of an escape", "run=%E0%A4&layers=%2525E0%25A4"],
]) {
  test(`what makes no sense in a link is left out: ${what}`, () => {
    assert.deepEqual(State.decode(link), {});
  });
}

test("a link opens at most sixteen layers", () => {
  const layers = Array.from({ length: 40 }, (_, index) => `layer ${index}`);
  assert.deepEqual(State.decode(new State({ layers }).encode()).layers, layers.slice(0, 16));
});

test("everybody is told of a change, with the values that were set", () => {
  const state = new State({ step: 3 });
  const told = [];
  state.onchange((values) => told.push(["one", values, state.step]));
  state.onchange((values) => told.push(["other", values, state.step]));
  state.set({ step: 7, unit: 2 });
  assert.deepEqual(told, [["one", { step: 7, unit: 2 }, 7], ["other", { step: 7, unit: 2 }, 7]]);
  assert.equal(state.unit, 2);
});

test("two states share nothing", () => {
  const [one, other] = [new State(), new State()];
  one.zoom[0] = 0.5;
  one.layers.push("a");
  assert.deepEqual([other.zoom, other.layers, new State().layers], [[0, 1, 0, 1], [], []]);
});
