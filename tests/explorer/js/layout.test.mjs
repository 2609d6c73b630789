import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { columnsFor, layOut } = await load("layout");
const { TITLE_HEIGHT, visible } = await load("panel");

/** What a reader needs to see that two pictures are two. */
const GAP = 18;

test("no panel comes near another one, a title or the end of the picture", () => {
  rounds(300, ({ whole }) => {
    const columns = 1 + whole(4);
    const sections = Array.from({ length: 1 + whole(4) }, () => ({ columns, panels: Array.from({ length: 1 + whole(7) }, () => ({})) }));
    const width = 100 + columns * (180 + whole(300));
    const height = layOut(sections, width, whole(1500), 10 + whole(90));
    const boxes = sections.flatMap(({ panels }) => panels.map(({ rect }) => ({ left: rect.x, right: rect.x + rect.width, top: rect.y - TITLE_HEIGHT, bottom: rect.y + rect.height })));
    boxes.forEach((one, k) => {
      assert.ok(one.left >= 0 && one.right <= width && one.top >= 0 && one.bottom <= height);
      for (const other of boxes.slice(k + 1)) assert.ok(one.right + GAP <= other.left || other.right + GAP <= one.left || one.bottom <= other.top || other.bottom <= one.top);
    });
    for (const { y, panels } of sections) assert.ok(panels[0].rect.y - TITLE_HEIGHT >= y + (sections.length > 1 ? 20 : 0));
  });
});

test("panels fill the picture if it is high enough, and have 96 pixels at least if it is not", () => {
  const make = () => [{ columns: 3, panels: Array.from({ length: 6 }, () => ({})) }];
  const [tall, low] = [make(), make()];
  const height = layOut(tall, 900, 1000, 20);
  // The margin above, four pixels, comes on top: the view asks for six less than it has.
  assert.ok(height <= 1004 && height > 960, `${height}`);
  layOut(low, 900, 100, 20);
  assert.ok(low[0].panels.every(({ rect }) => rect.height === 96));
});

test("labels stand at the left and below the last panel of each column", () => {
  const sections = [{ columns: 3, panels: Array.from({ length: 5 }, () => ({})) }];
  layOut(sections, 900, 900, 20);
  assert.deepEqual(sections[0].panels.map(({ leftmost }) => leftmost), [true, false, false, true, false]);
  assert.deepEqual(sections[0].panels.map(({ lowest }) => lowest), [false, false, true, true, true]);
});

test("as many columns are made as fit, as are wanted, and as there are panels", () => {
  assert.deepEqual([columnsFor(6, 1200, 0), columnsFor(4, 1200, 0), columnsFor(6, 1200, 6), columnsFor(2, 1200, 6)], [3, 2, 6, 2]);
  rounds(200, ({ whole }) => {
    const [panels, width, wanted] = [1 + whole(9), whole(1500), whole(7)];
    const columns = columnsFor(panels, width, wanted);
    assert.ok(columns >= 1 && columns <= panels && (!wanted || columns <= wanted));
    const sections = [{ columns, panels: Array.from({ length: panels }, () => ({})) }];
    layOut(sections, width, 900, 20);
    if (columns > 1) assert.ok(sections[0].panels[0].rect.width >= 149);
  });
});

test("the visible part of a picture is that of the zoom", () => {
  assert.deepEqual(visible({ columns: 40, rows: 10 }, [0.25, 0.5, 0, 0.1]), { left: 10, right: 20, top: 0, bottom: 1 });
});
