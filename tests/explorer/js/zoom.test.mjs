import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { into, isWhole, moved, zoomed } = await load("zoom");
const near = (one, other) => Math.abs(one - other) < 1e-9;

function assertInside([low, high]) {
  assert.ok(low >= 0 && high <= 1 + 1e-12 && low < high, `${low}..${high}`);
}

test("zooming keeps the point under the pointer where it is, until an end of the picture", () => {
  rounds(500, ({ between }) => {
    const low = between(0, 0.8);
    const high = low + between(0.02, 1 - low);
    const [factor, around] = [between(0.3, 3), between(0, 1)];
    const zoom = zoomed([low, high], factor, around);
    assertInside(zoom);
    const width = Math.min(1, Math.max(0.004, (high - low) * factor));
    assert.ok(near(zoom[1] - zoom[0], width));
    const point = low + around * (high - low);
    const free = point - around * width >= 0 && point + (1 - around) * width <= 1;
    if (free) assert.ok(near(zoom[0] + around * (zoom[1] - zoom[0]), point));
    else assert.ok(near(zoom[0], 0) || near(zoom[1], 1));
  });
});

test("moving keeps the width, and stops at the ends", () => {
  rounds(500, ({ between }) => {
    const low = between(0, 0.9);
    const high = low + between(0.01, 1 - low);
    const by = between(-1.5, 1.5);
    const [from, to] = moved([low, high], by);
    assertInside([from, to]);
    assert.ok(near(to - from, high - low));
    assert.ok(near(from, Math.min(1 - (high - low), Math.max(0, low + by))));
  });
});

test("a rectangle becomes the whole view", () => {
  rounds(500, ({ between }) => {
    const zoom = [between(0, 0.3), between(0.6, 1), between(0, 0.3), between(0.6, 1)];
    const [x0, y0] = [between(0, 0.5), between(0, 0.5)];
    const [x1, y1] = [x0 + between(0.05, 0.5), y0 + between(0.05, 0.5)];
    const shown = into(zoom, x0, x1, y0, y1);
    const at = ([low, high], part) => low + part * (high - low);
    const expected = [at(zoom.slice(0, 2), x0), at(zoom.slice(0, 2), x1), at(zoom.slice(2), y0), at(zoom.slice(2), y1)];
    shown.forEach((part, k) => assert.ok(near(part, expected[k]), `${shown}, not ${expected}`));
  });
});

test("a rectangle that is too small is widened about its middle", () => {
  const [low, high] = into([0, 1, 0, 1], 0.5, 0.5001, 0, 1);
  assert.ok(near(high - low, 0.004) && near((low + high) / 2, 0.50005));
});

test("whole is what shows everything", () => {
  assert.ok(isWhole([0, 1, 0, 1]));
  for (const zoom of [[0.01, 1, 0, 1], [0, 0.99, 0, 1], [0, 1, 0.01, 1], [0, 1, 0, 0.99]]) assert.ok(!isWhole(zoom));
});
