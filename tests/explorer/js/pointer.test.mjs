import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { listen } = await load("pointer");

/** A grid of one panel that fills its canvas, and what the pointer makes of it. */
function grid(zoom = [0, 1, 0, 1], { left = 100, top = 50, width = 400, height = 200 } = {}) {
  const canvas = Object.assign(new EventTarget(), { getBoundingClientRect: () => ({ left, top }), setPointerCapture() {} });
  const panel = { rect: { x: 0, y: 0, width, height } };
  const within = (_, { x, y }) => ({ panel, x: Math.min(1, Math.max(0, x / width)), y: Math.min(1, Math.max(0, y / height)) });
  const locate = (point) => (point.x >= 0 && point.y >= 0 && point.x <= width && point.y <= height ? within(panel, point) : null);
  const done = [];
  const note = (name) => (...all) => done.push([name, ...all]);
  const actions = Object.fromEntries(["hover", "leave", "pick", "zoom", "select"].map((name) => [name, note(name)]));
  const state = { zoom };
  actions.zoom = (next) => {
    state.zoom = next;
    done.push(["zoom"]);
  };
  listen({ canvas, locate, within }, state, actions);
  const send = (type, x, y, more = {}) => {
    const event = Object.assign(new Event(type, { cancelable: true }), { button: 0, pointerId: 1, clientX: left + x * width, clientY: top + y * height, deltaX: 0, deltaY: 0, ...more });
    canvas.dispatchEvent(event);
    return event.defaultPrevented;
  };
  return { send, state, done, names: () => done.map(([name]) => name) };
}

const near = (found, expected) => found.forEach((part, k) => assert.ok(Math.abs(part - expected[k]) < 1e-9, `${found}, not ${expected}`));

test("a click picks the cell below it", () => {
  const { send, done, state } = grid();
  send("pointerdown", 0.25, 0.5);
  send("pointermove", 0.255, 0.5); // a hand is not quite still
  send("pointerup", 0.255, 0.5);
  const [, place] = done.find(([name]) => name === "pick");
  near([place.x, place.y], [0.25, 0.5]);
  near(state.zoom, [0, 1, 0, 1]);
});

test("another button and a place outside do nothing", () => {
  const { send, names } = grid();
  send("pointerdown", 0.25, 0.5, { button: 2 });
  send("pointerup", 0.25, 0.5);
  send("pointerdown", 1.5, 0.5);
  send("pointerup", 0.9, 0.5);
  assert.deepEqual(names(), []);
});

test("a rectangle that is drawn in any direction becomes the view", () => {
  rounds(50, ({ between, next }) => {
    const { send, state, names } = grid([0.2, 0.6, 0, 1]);
    const [x, y] = [[between(0, 0.4), between(0.5, 1)], [between(0, 0.4), between(0.5, 1)]];
    const [x0, x1] = next() < 0.5 ? x : [...x].reverse();
    const [y0, y1] = next() < 0.5 ? y : [...y].reverse();
    send("pointerdown", x0, y0);
    send("pointermove", x1, y1);
    send("pointerup", x1, y1);
    near(state.zoom, [0.2 + 0.4 * x[0], 0.2 + 0.4 * x[1], y[0], y[1]]);
    assert.deepEqual(names(), ["leave", "select", "select", "zoom"]);
  });
});

test("a double click shows everything, and leaving is told", () => {
  const { send, state, names } = grid([0.2, 0.6, 0, 1]);
  send("dblclick", 0.5, 0.5);
  send("pointerleave", 0.5, 0.5);
  near(state.zoom, [0, 1, 0, 1]);
  assert.deepEqual(names(), ["zoom", "leave"]);
});

test("a drag that is broken off leaves the view as it was", () => {
  const { send, state, names } = grid();
  send("pointerdown", 0.1, 0.1);
  send("pointercancel", 0.5, 0.5);
  send("pointerup", 0.9, 0.9);
  near(state.zoom, [0, 1, 0, 1]);
  assert.deepEqual(names(), ["select"]);
});

test("the wheel alone belongs to the page while everything is shown", () => {
  const { send, state } = grid();
  assert.equal(send("wheel", 0.5, 0.5, { deltaY: 100 }), false);
  near(state.zoom, [0, 1, 0, 1]);
});

test("the wheel moves what is zoomed into by as many pixels, with Shift along the time", () => {
  const down = grid([0.2, 0.6, 0.2, 0.6]);
  assert.equal(down.send("wheel", 0.5, 0.5, { deltaX: 40, deltaY: 20 }), true);
  near(down.state.zoom, [0.24, 0.64, 0.24, 0.64]);
  const across = grid([0.2, 0.6, 0.2, 0.6]);
  across.send("wheel", 0.5, 0.5, { deltaY: 40, shiftKey: true });
  near(across.state.zoom, [0.24, 0.64, 0.2, 0.6]);
});

test("Ctrl and the wheel zoom about the pointer, Alt in time alone", () => {
  const both = grid();
  assert.equal(both.send("wheel", 0.25, 0.75, { deltaY: -200, ctrlKey: true }), true);
  const width = Math.exp(-0.3);
  near(both.state.zoom, [0.25 * (1 - width), 0.25 + 0.75 * width, 0.75 * (1 - width), 0.75 + 0.25 * width]);
  const time = grid();
  time.send("wheel", 0.25, 0.75, { deltaY: -200, altKey: true });
  near(time.state.zoom, [0.25 * (1 - width), 0.25 + 0.75 * width, 0, 1]);
});
