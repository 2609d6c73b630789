import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { markOf, outcomesOf } = await load("outcomes");
const { classesOf, meanOver, meansByLabel } = await load("groups");

/** A capture of some sequences with outputs `[name, shape of one, numbers of all]`. */
function captureOf(outputs, { batch = 3, time = 4, ...more } = {}) {
  return {
    batch,
    time,
    meta: { shape: [batch, time, 5] },
    sequences: Int32Array.from({ length: batch }, (_, b) => b),
    outputs: outputs.map(([name, shape, values]) => {
      const data = Float32Array.from(values);
      const width = data.length / batch;
      return { name, shape, count: batch, width, data, has: (b) => b < batch, value: (b, index) => data[b * width + index] };
    }),
    ...more,
  };
}

function targetOf(values, shape = [], name = "", batch = 3) {
  const data = Float32Array.from(values);
  const width = data.length / batch;
  return { name, shape, count: batch, width, data, isWhole: data.every(Number.isInteger), value: (b, index) => (b < batch && index < width ? data[b * width + index] : null) };
}

const probeOf = (...targets) => ({ sequences: 3, targets });
const texts = (outcome) => [0, 1, 2].map((b) => outcome.text(b));

test("the largest of several outputs is the class, and right or wrong", () => {
  const capture = captureOf([["", [3], [0.1, 0.7, 0.2, 0.5, 0.25, 0.25, 0, 0.25, 0.75]]]);
  const [outcome] = outcomesOf(capture, probeOf(targetOf([1, 2, 2])));
  assert.equal(outcome.kind, "class");
  assert.deepEqual(texts(outcome), ["target 1, gives 1 (0.70), right", "target 2, gives 0 (0.50), wrong", "target 2, gives 2 (0.75), right"]);
  assert.deepEqual([0, 1, 2].map((b) => outcome.right(b)), [1, 0, 1]);
  assert.deepEqual([markOf([outcome], 0), markOf([outcome], 1)], ["1 ✓", "2, gives 0 ✗"]);
});

test("targets of ones and zeros are classes too, and a class below zero is none", () => {
  const given = [["", [2], [3, -1, -2, 5, 0, 1]]];
  const [hot] = outcomesOf(captureOf(given), probeOf(targetOf([1, 0, 1, 0, 0, 1], [2])));
  assert.equal(hot.kind, "one-hot");
  assert.deepEqual([0, 1, 2].map((b) => [hot.targetAt(b), hot.rightAt(b)]), [[0, true], [0, false], [1, true]]);
  const [masked] = outcomesOf(captureOf(given), probeOf(targetOf([-1, 0, 1])));
  assert.deepEqual([masked.targetAt(0), masked.right(0), masked.right(1)], [null, null, 0]);
  const [several] = outcomesOf(captureOf(given), probeOf(targetOf([1, 1, 1, 0, 0, 1], [2])));
  assert.equal(several.kind, "values"); // several at once are no class
});

test("one output of two classes is compared with one half, or with zero where it is no probability", () => {
  const [likely] = outcomesOf(captureOf([["", [1], [0.4, 0.6, 0.9]]]), probeOf(targetOf([1, 1, 0])));
  assert.deepEqual([likely.kind, likely.threshold, ...[0, 1, 2].map((b) => likely.right(b))], ["binary", 0.5, 0, 1, 0]);
  assert.match(likely.rule, /above 0\.5/);
  const [logit] = outcomesOf(captureOf([["", [1], [0.4, -0.6, 9]]]), probeOf(targetOf([1, 1, 0])));
  assert.deepEqual([logit.threshold, ...[0, 1, 2].map((b) => logit.right(b))], [0, 1, 0, 0]);
});

test("the log tells in which range a single output has been so far", () => {
  const capture = captureOf([["", [1], [0.4, 0.6, 0.9]]]);
  capture.outputs[0].range = [-2, 0.9];
  const [logit] = outcomesOf(capture, probeOf(targetOf([1, 1, 0])));
  assert.deepEqual([logit.threshold, ...[0, 1, 2].map((b) => logit.right(b))], [0, 1, 1, 0]);
  assert.match(logit.rule, /has left 0 … 1: it is a logit/);
});

test("an error leaves out what is not known", () => {
  const [outcome] = outcomesOf(captureOf([["", [2], [1, 2, 3, 4, 5, 6]]]), probeOf(targetOf([1.5, NaN, 2, 2.5, NaN, NaN], [2])));
  assert.deepEqual([0, 1, 2].map((b) => outcome.error(b)), [0.5, 1.25, null]);
  const [few] = outcomesOf(captureOf([["", [1], [1, 2, 3]]]), probeOf({ ...targetOf([0.5, 0.5, 0.5]), value: (b) => (b ? null : 0.5) }));
  assert.deepEqual([few.error(0), few.error(1)], [0.5, null]);
});

test("numbers are shown beside their targets, and are neither right nor wrong", () => {
  const [outcome] = outcomesOf(captureOf([["", [1], [0.5, 1.5, -2]]]), probeOf(targetOf([0.25, 1, 7])));
  assert.deepEqual([outcome.kind, outcome.right(0), outcome.text(0)], ["values", null, "target 0.250, gives 0.500, off by 0.250"]);
  assert.equal(markOf([outcome], 0), "");
});

test("an output at each step has a class or a number at each", () => {
  const values = Array.from({ length: 3 * 4 * 2 }, (_, index) => (index % 2 === index % 3 ? 1 : 0));
  const [outcome] = outcomesOf(captureOf([["", [4, 2], values]]), probeOf(targetOf([0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, -1], [4])));
  assert.deepEqual([outcome.kind, outcome.steps, outcome.width], ["class", 4, 2]);
  const expected = Array.from({ length: 3 }, (_, b) => {
    const rights = Array.from({ length: 4 }, (_, s) => [outcome.targetAt(b, s), values[(b * 4 + s) * 2 + 1] > values[(b * 4 + s) * 2] ? 1 : 0]).filter(([target]) => target !== null);
    return rights.filter(([target, given]) => target === given).length / rights.length;
  });
  assert.deepEqual([0, 1, 2].map((b) => outcome.right(b)), expected);
  assert.equal(outcome.targetAt(2, 3), null);
  const [regression] = outcomesOf(captureOf([["", [4, 1], Array.from({ length: 12 }, (_, k) => k / 8)]]), probeOf(targetOf(Array.from({ length: 12 }, (_, k) => k / 4), [4, 1])));
  assert.deepEqual([regression.kind, regression.givenAt(1, 2).value, regression.targetAt(1, 2)], ["values", 6 / 8, 6 / 4]);
});

test("steps with which shorter sequences were filled up are not known", () => {
  for (const filling of [-1, NaN]) {
    const y = [1, 0, 1, filling, 0, 0, 1, 1, 1, filling, filling, filling];
    const [binary] = outcomesOf(captureOf([["", [4, 1], [0.9, 0.1, 0.2, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1]]]), probeOf(targetOf(y, [4])));
    assert.deepEqual([binary.kind, ...[0, 1, 2].map((b) => binary.right(b))], ["binary", 2 / 3, 3 / 4, 1]);
    const two = y.flatMap(() => [0.25, 0.75]);
    const [several] = outcomesOf(captureOf([["", [4, 2], two]]), probeOf(targetOf(y, [4])));
    assert.deepEqual([several.kind, ...[0, 1, 2].map((b) => several.right(b))], ["class", 2 / 3, 2 / 4, 1]);
    const hot = y.flatMap((each) => (each === 0 ? [1, 0] : each === 1 ? [0, 1] : [filling, filling]));
    const [onehot] = outcomesOf(captureOf([["", [4, 2], two]]), probeOf(targetOf(hot, [4, 2])));
    assert.deepEqual([onehot.kind, ...[0, 1, 2].map((b) => onehot.right(b))], ["one-hot", 2 / 3, 2 / 4, 1]);
  }
});

test("what is not a number is not right", () => {
  const [binary] = outcomesOf(captureOf([["", [1], [NaN, NaN, 0.9]]]), probeOf(targetOf([0, 1, 1])));
  assert.deepEqual([0, 1, 2].map((b) => binary.right(b)), [0, 0, 1]);
  assert.equal(binary.text(0), "target 0, gives NaN, wrong");
  const [several] = outcomesOf(captureOf([["", [2], [NaN, NaN, 0, 1, 1, 0]]]), probeOf(targetOf([0, 1, 1])));
  assert.deepEqual([0, 1, 2].map((b) => several.right(b)), [0, 1, 0]);
});

test("outputs and targets are told by their names, else by their places", () => {
  const capture = captureOf([["b", [1], [1, 2, 3]], ["a", [1], [4, 5, 6]]]);
  const named = outcomesOf(capture, probeOf(targetOf([0.1, 0, 0], [], "a"), targetOf([0.2, 0, 0], [], "b")));
  assert.deepEqual(named.map((each) => [each.name, each.targetAt(0)].map((value) => (typeof value === "number" ? Number(value.toFixed(3)) : value))), [["b", 0.2], ["a", 0.1]]);
  const placed = outcomesOf(capture, probeOf(targetOf([0.5, 0, 0], [], "0"), targetOf([0.25, 0, 0], [], "1")));
  assert.deepEqual(placed.map((each) => each.targetAt(0)), [0.5, 0.25]);
});

test("without outputs there are targets, without targets outputs, and of other sequences nothing", () => {
  const [alone] = outcomesOf(captureOf([]), probeOf(targetOf([2, 0, 1])));
  assert.deepEqual([alone.kind, alone.targetAt(0), alone.givenAt(0), alone.right(0), alone.text(0)], ["class", 2, null, null, "target 2"]);
  const [given] = outcomesOf(captureOf([["", [2], [0.25, 0.75, 1, 0, 0.5, 0.5]]]), { sequences: 3, targets: [] });
  assert.deepEqual([given.kind, given.text(0)], ["class", "gives 1 (0.75)"]);
  const [numbers] = outcomesOf(captureOf([["", [2], [3, 4, 1, 0, 5, 5]]]), { sequences: 3, targets: [] });
  assert.deepEqual([numbers.kind, numbers.text(0)], ["values", "gives 3, 4"]);
  assert.deepEqual(outcomesOf(captureOf([]), { ...probeOf(targetOf([2, 0, 1])), sequences: 5 }), []);
  assert.deepEqual(outcomesOf(captureOf([]), { sequences: null, targets: [] }), []);
});

test("sequences of a class, and means over them and over labels, leave out masked steps", () => {
  const words = [["a", "b", "a", ""], ["b", "b", "a", "a"], ["a", "", "", ""]];
  const value = (letter, b, t, u) => 100 * b + 10 * t + u;
  const capture = captureOf([], { value, counts: (b, t) => t < 3 || b === 1, label: (b, t) => words[b][t] });
  const [outcome] = outcomesOf(capture, probeOf(targetOf([7, 2, 7])));
  assert.deepEqual(classesOf(outcome, 3), [{ name: 2, sequences: [1] }, { name: 7, sequences: [0, 2] }]);
  assert.deepEqual(meanOver(capture, "h", 1, [0, 2]), [101, 111, 121, NaN]);
  assert.deepEqual(meanOver(capture, "h", 1, [0, 1]), [51, 61, 71, 131]);
  const labels = meansByLabel(capture, "h", 0);
  assert.deepEqual(labels.map(({ label, count }) => [label, count]), [["a", 5], ["b", 3]]);
  assert.deepEqual(labels.map(({ mean }) => mean), [(0 + 20 + 120 + 130 + 200) / 5, (10 + 100 + 110) / 3]);
});
