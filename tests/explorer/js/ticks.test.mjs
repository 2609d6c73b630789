import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { itemTicks, powerTicks, roundTicks } = await load("ticks");

/** Whether a number is 1, 2 or 5 times a power of ten. */
function isRound(step) {
  return [1, 2, 5].includes(Number((step / 10 ** Math.floor(Math.log10(step) + 1e-9)).toPrecision(9)));
}

test("round ticks are multiples of a round step, all of them that lie inside", () => {
  rounds(500, ({ between, whole }) => {
    const size = 10 ** between(-6, 6);
    const low = between(-3, 3) * size;
    const high = low + between(0.1, 5) * size;
    const count = 2 + whole(9);
    const ticks = roundTicks(low, high, count);
    const text = `${low}..${high} ${count}: ${ticks}`;
    if (ticks.length > 1) {
      const step = ticks[1] - ticks[0];
      assert.ok(isRound(step), text);
      const first = Math.ceil(low / step - 1e-6);
      const last = Math.floor(high / step + 1e-6);
      assert.equal(ticks.length, last - first + 1, text);
      ticks.forEach((tick, k) => assert.ok(Math.abs(tick - (first + k) * step) <= 1e-6 * step, text));
    }
    // The step is at most 2.5 times what `count` intervals would have.
    assert.ok(ticks.length <= count + 1 && ticks.length >= Math.floor(count / 2.5), text);
  });
});

test("an axis of one number has one tick", () => {
  assert.deepEqual(roundTicks(0.3, 0.3, 5), [0.3]);
  assert.deepEqual(roundTicks(1, 0, 5), [1]);
});

test("ticks are numbers that read well", () => {
  assert.deepEqual(roundTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(roundTicks(-0.3, 0.3, 3), [-0.2, 0, 0.2]);
});

test("ticks of a logarithmic axis are powers of ten at one distance", () => {
  rounds(300, ({ whole, between }) => {
    const from = whole(20) - 15;
    const decades = 4 + whole(12);
    const count = 3 + whole(5);
    const ticks = powerTicks(10 ** (from - between(0, 0.9)), 10 ** (from + decades + between(0, 0.9)), count);
    const powers = ticks.map((tick) => Math.round(Math.log10(tick)));
    if (ticks.length >= 3 && powers.every((power, k) => ticks[k] === 10 ** power)) {
      const steps = new Set(powers.slice(1).map((power, k) => power - powers[k]));
      assert.equal(steps.size, 1, `${ticks}`);
      assert.ok(ticks.length <= count, `${ticks}`);
    }
    assert.ok(powers[0] >= from - 1 && powers.at(-1) <= from + decades + 1);
    assert.ok(ticks.length >= 2);
  });
});

test("within few decades the ticks are 1, 2 and 5, or at one distance where there are no two of these", () => {
  rounds(300, ({ between }) => {
    const low = 10 ** between(-9, 3);
    const high = low * 10 ** between(0.05, 1.9);
    const ticks = powerTicks(low, high, 5);
    const text = `${low}..${high}: ${ticks}`;
    assert.ok(ticks.length >= 2, text);
    for (const tick of ticks) assert.ok(tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9), text);
    const distances = ticks.slice(1).map((tick, k) => tick - ticks[k]);
    if (!ticks.every(isRound)) assert.ok(isRound(distances[0]) && distances.every((each) => Math.abs(each - distances[0]) < 1e-6 * distances[0]), text);
  });
});

test("labels of items have room, and begin at a multiple of their distance", () => {
  rounds(500, ({ whole, between }) => {
    const first = between(0, 300);
    const last = first + between(0.5, 900);
    const [pixels, size] = [40 + whole(900), 5 + whole(60)];
    const ticks = itemTicks(first, last, pixels, size);
    const perItem = pixels / Math.max(1, last - first);
    ticks.forEach((tick, k) => {
      assert.ok(Number.isInteger(tick) && tick >= first && tick < last);
      if (k) assert.ok((tick - ticks[k - 1]) * perItem >= size - 1e-9, `${ticks}`);
      if (ticks.length > 1) assert.equal(tick % (ticks[1] - ticks[0]), 0);
    });
    // Everything is labelled where everything has room.
    if (perItem >= size) assert.equal(ticks.length, Math.ceil(last) - Math.ceil(first));
  });
});
