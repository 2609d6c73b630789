import assert from "node:assert/strict";
import test from "node:test";

import { load, routes } from "./surroundings.mjs";

const { SourceError } = await load("source");
const { TensorBoardSource } = await load("tensorboard_source");

/** Runs a body while `fetch` gives one answer; returns the addresses that were asked for. */
async function answering(answer, body) {
  const real = globalThis.fetch;
  const asked = [];
  globalThis.fetch = async (address) => {
    asked.push(address);
    return answer();
  };
  try {
    await body();
  } finally {
    globalThis.fetch = real;
  }
  return asked;
}

test("addresses are relative to the page, and every character of a name is escaped", async () => {
  const source = new TensorBoardSource();
  const asked = await answering(
    () => Response.json({ runs: [], steps: [], layers: [], captures: [] }),
    async () => {
      await source.runs();
      await source.steps("a&b=c", "é/#?");
      await source.capture("r", "l", 7);
      await source.series("r", "l", { sequence: 0, timestep: 1, unit: 2 });
      await source.history("r", "l", "horizon");
    },
  );
  assert.deepEqual(asked, ["runs", "steps?run=a%26b%3Dc&layer=%C3%A9%2F%23%3F", "capture?run=r&layer=l&step=7", "series?run=r&layer=l&sequence=0&timestep=1&unit=2", "history?run=r&layer=l&name=horizon"]);
  assert.equal(source.fileAddress("r", "l", 7, "csv"), "download?run=r&layer=l&step=7&format=csv");
});

test("the first list of runs is the one that is under way, later ones are asked for", async () => {
  const source = new TensorBoardSource({ runs: Promise.resolve(Response.json({ runs: ["early"] })) });
  const asked = await answering(
    () => Response.json({ runs: ["late"] }),
    async () => {
      assert.deepEqual(await source.runs(), ["early"]);
      assert.deepEqual(await source.runs(), ["late"]);
    },
  );
  assert.deepEqual(asked, ["runs"]);
});

for (const [what, answer, kind, message] of [
  ["nobody answers", () => Promise.reject(new TypeError("Failed to fetch")), "unreachable", "Is it still running?"],
  ["it is not there", () => Response.json({ error: "No such run here." }, { status: 404 }), "missing", "No such run here."],
  ["the request is refused", () => Response.json({ error: "Expected: a number." }, { status: 400 }), "refused", "Expected: a number."],
  ["somebody else answers", () => new Response("<html>", { status: 502 }), "refused", "status 502"],
  ["an answer has no words", () => Response.json({}, { status: 503 }), "refused", "status 503"],
]) {
  test(`a failure is told with its kind and words: ${what}`, async () => {
    await answering(answer, () => assert.rejects(new TensorBoardSource().layers("r"), (error) => error instanceof SourceError && error.kind === kind && error.message.includes(message)));
  });
}

test("the plugin's own words reach the reader", async () => {
  const source = new TensorBoardSource({ base: routes });
  await assert.rejects(source.capture("r", "l", "x"), { kind: "refused", message: /The parameter 'step' is not a number/ });
});

const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("those that watch are called again and again, one call at a time, even if one fails", async () => {
  const source = new TensorBoardSource({ period: 5 });
  let [calls, now, most] = [0, 0, 0];
  const end = source.watch(async () => {
    calls += 1;
    most = Math.max(most, ++now);
    await later(15);
    now -= 1;
    if (calls === 2) throw new SourceError("Busy.", "unreachable");
  });
  while (calls < 4) await later(5);
  end();
  assert.equal(most, 1);
  await later(60);
  const after = calls;
  await later(60);
  assert.equal(calls, after);
});

test("a watch that ends before its first look never looks", async () => {
  let calls = 0;
  const end = new TensorBoardSource({ period: 20 }).watch(() => (calls += 1));
  end();
  await later(100);
  assert.equal(calls, 0);
});

test("a hidden page does not look, and looks again when it is shown", async () => {
  globalThis.document = { hidden: true };
  let calls = 0;
  const end = new TensorBoardSource({ period: 2 }).watch(() => (calls += 1));
  await later(50);
  assert.equal(calls, 0);
  globalThis.document.hidden = false;
  while (!calls) await later(5);
  end();
  delete globalThis.document;
});
