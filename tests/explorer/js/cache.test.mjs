import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { Cache } = await load("cache");

test("a cache does what a list in order of use would do", () => {
  rounds(60, ({ whole }) => {
    const limit = 1 + whole(40);
    const cache = new Cache(limit);
    let used = []; // oldest first: [key, value, size]
    for (let turn = 0; turn < 120; turn++) {
      const key = `k${whole(8)}`;
      const action = whole(4);
      if (action === 0) {
        cache.delete(key);
        used = used.filter(([other]) => other !== key);
      } else if (action === 1) {
        const entry = used.find(([other]) => other === key);
        assert.equal(cache.has(key), Boolean(entry));
        assert.equal(cache.get(key), entry?.[1]);
        if (entry) used = [...used.filter((each) => each !== entry), entry];
      } else {
        const size = whole(20);
        cache.set(key, turn, size);
        used = [...used.filter(([other]) => other !== key), [key, turn, size]];
        while (total(used) > limit && used.length > 1) used.shift();
      }
      assert.equal(cache.size, total(used));
    }
    for (const [key, value] of used) assert.equal(cache.get(key), value);
  });
});

test("one entry that is too large for the cache is kept alone", () => {
  const cache = new Cache(10);
  cache.set("a", 1, 5);
  cache.set("b", 2, 50);
  assert.deepEqual([cache.get("a"), cache.get("b"), cache.size], [undefined, 2, 50]);
});

function total(entries) {
  return entries.reduce((sum, [, , size]) => sum + size, 0);
}
