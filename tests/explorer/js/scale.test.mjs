import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { gateScale, linear, logarithmic, TANH } = await load("scale");
const { toHalf } = await load("packing");
const { HALF } = await load("half");

const close = (found, expected, text) => assert.ok(Math.abs(found - expected) <= 1e-12 * Math.max(1, Math.abs(expected)), `${text}: ${found}, not ${expected}`);

test("a linear scale takes its ends to 0 and 1, and what lies between in proportion", () => {
  rounds(100, ({ between }) => {
    const low = between(-5, 5);
    const high = low + between(0.01, 9);
    const part = between(0, 1);
    const scale = linear(low, high);
    close(scale.part(low), 0, "low");
    close(scale.part(high), 1, "high");
    assert.ok(Math.abs(scale.part((1 - part) * low + part * high) - part) < 1e-9);
  });
  assert.ok(Number.isFinite(linear(2, 2).part(2)));
});

test("a logarithmic scale is linear in the exponent", () => {
  rounds(100, ({ between }) => {
    const [from, to, part] = [between(-12, -1), between(0, 9), between(0, 1)];
    const scale = logarithmic(10 ** from, 10 ** to);
    assert.ok(Math.abs(scale.part(10 ** (from + part * (to - from))) - part) < 1e-9);
  });
  assert.deepEqual([logarithmic(1, 10).part(0), logarithmic(1, 10).part(-3)], [0, 0]);
});

test("the scale without bounds takes zero to the middle, and is as steep as the logistic function of twice the value", () => {
  rounds(100, ({ between }) => {
    const value = between(-6, 6);
    close(TANH.part(value), 1 / (1 + Math.exp(-2 * value)), `${value}`);
  });
  assert.deepEqual([TANH.part(Infinity), TANH.part(-Infinity)], [1, 0]);
});

test("two scales have the same key exactly if they are the same", () => {
  assert.equal(linear(0, 1).key, linear(0, 1).key);
  const keys = [linear(0, 1), linear(0, 2), linear(-1, 1), logarithmic(1, 2), logarithmic(1, 3), TANH].map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
});

/** What `gateScale` asks of a capture. */
function capture(values, range) {
  return { gates: new Map([["f", { data: Uint16Array.from(values, bitsOf) }]]), range: () => range };
}

const bitsOf = (value) => ({ NaN: 0x7e00, Infinity: 0x7c00, "-Infinity": 0xfc00 })[value] ?? toHalf(value);
const ends = ({ part }) => [-part(0) / (part(1) - part(0)), (1 - part(0)) / (part(1) - part(0))];

function assertEnds(scale, low, high) {
  const [from, to] = ends(scale);
  assert.ok(Math.abs(from - low) < 1e-6 && Math.abs(to - high) < 1e-6, `${from}..${to}, not ${low}..${high}`);
}

test("fixed colours are those of the possible values", () => {
  assertEnds(gateScale({ range: "fixed" }, "f", [capture([0.4], [0, 1])]), 0, 1);
  assert.equal(gateScale({ range: "fixed" }, "f", [capture([0.4], null)]), TANH);
});

test("the reader's own range is taken if it is one", () => {
  assertEnds(gateScale({ range: "custom", low: -2, high: 3 }, "f", [capture([0.4], [0, 1])]), -2, 3);
  assertEnds(gateScale({ range: "custom", low: 3, high: 3 }, "f", [capture([0.4], [0, 1])]), 0, 1);
});

test("the range of these values is that of all captures shown, without NaN and infinity", () => {
  rounds(50, ({ between, whole }) => {
    const values = () => [...Array.from({ length: 1 + whole(20) }, () => between(0, 1)), NaN, Infinity, -Infinity];
    const [one, other] = [values(), values()];
    const finite = [...one, ...other].filter(Number.isFinite).map((value) => HALF[toHalf(value)]);
    const state = { range: "data" };
    assertEnds(gateScale(state, "f", [capture(one, [0, 1]), capture(other, [0, 1])]), Math.min(...finite), Math.max(...finite));
    const size = Math.max(...finite);
    assertEnds(gateScale(state, "f", [capture(one, [-1, 1]), capture(other, [-1, 1])]), -size, size);
    assertEnds(gateScale(state, "f", [capture(one, null), capture(other, null)]), -size, size);
  });
});

test("values that are all equal, or all special, have a range as well", () => {
  assertEnds(gateScale({ range: "data" }, "f", [capture([0.25, 0.25], [0, 1])]), -0.25, 0.75);
  assertEnds(gateScale({ range: "data" }, "f", [capture([NaN, Infinity], [0, 1])]), 0, 1);
  assertEnds(gateScale({ range: "data" }, "f", [capture([0, 0], null)]), -1, 1);
});
