// What the explorer asks its server for, answered out of the page itself.

import { HALF } from "./half.js";
import { dequantised, packed } from "./packing.js";
import { readSafetensors } from "./safetensors.js";

const MOST_STEPS = 400;

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const index = JSON.parse(document.getElementById("index").textContent);
const steps = byKey(index.steps);
const numbers = byKey(index.numbers);

export async function getJson(path, { run, layer } = {}) {
  if (path === "runs") return { runs: index.runs };
  if (path === "steps") return { steps: steps.get(JSON.stringify([run, layer])) ?? missing() };
  return { captures: index.timeline[run] ?? [] };
}

export async function getBytes(path, parameters) {
  const { run, layer } = parameters;
  if (path === "capture" || path === "weights") return stored(path, run, layer, parameters.step);
  return path === "series" ? series(parameters) : history(parameters);
}

/** There is no server to ask for a file. */
export function address() {
  return "#";
}

async function stored(kind, run, layer, step) {
  const element = document.getElementById(numbers.get(JSON.stringify([kind, run, layer, step]))) ?? missing();
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return dequantised(await new Response(stream).arrayBuffer());
}

/** Python writes JSON with other spaces than JavaScript. */
function byKey(entries) {
  return new Map(Object.entries(entries).map(([key, value]) => [JSON.stringify(JSON.parse(key)), value]));
}

/** Captures all along the training, evenly spaced where there are very many. */
async function* captures(run, layer) {
  const all = (await getJson("steps", { run, layer })).steps;
  const count = Math.min(all.length, MOST_STEPS);
  for (let k = 0; k < count; k++) {
    const step = all[count > 1 ? Math.round((k * (all.length - 1)) / (count - 1)) : 0];
    yield [step, readSafetensors(await stored("capture", run, layer, step)).arrays];
  }
}

async function series({ run, layer, sequence, timestep, unit }) {
  const seen = [];
  const gates = new Map();
  for await (const [step, arrays] of captures(run, layer)) {
    seen.push(step);
    for (const [name, array] of arrays) {
      if (!name.startsWith("gates/")) continue;
      const [, time, width] = array.shape;
      const own = name === "gates/h" && arrays.has("units/h") ? "units/h" : "units";
      const place = [["sequences", sequence], ["timesteps", timestep], [own, unit]].map(([axis, value]) => arrays.get(axis).data.indexOf(value));
      const value = place.includes(-1) ? NaN : HALF[array.data[(place[0] * time + place[1]) * width + place[2]]];
      gates.set(name, [...(gates.get(name) ?? []), value]);
    }
  }
  const arrays = new Map([["steps", { dtype: "F64", shape: [seen.length], data: Float64Array.from(seen) }]]);
  for (const [name, values] of gates) arrays.set(name, { dtype: "F32", shape: [values.length], data: Float32Array.from(values) });
  return packed(arrays, { format: 1, layer, run });
}

async function history({ run, layer, name }) {
  const rows = [];
  if (name === "error_by_timestep") {
    for (const { step, layers } of index.timeline[run] ?? []) {
      const row = layers[layer]?.[name];
      if (row?.length) rows.push([step, row.map(Number)]);
    }
  } else {
    for await (const [step, arrays] of captures(run, layer)) {
      const array = arrays.get(name);
      if (array?.shape.length === 1) rows.push([step, Array.from(array.data)]);
    }
  }
  const width = Math.max(0, ...rows.map(([, row]) => row.length));
  const kept = rows.filter(([, row]) => row.length === width);
  if (!kept.length || !width) missing();
  const arrays = new Map([
    ["steps", { dtype: "F64", shape: [kept.length], data: Float64Array.from(kept, ([step]) => step) }],
    ["values", { dtype: "F32", shape: [kept.length, width], data: Float32Array.from(kept.flatMap(([, row]) => row)) }],
  ]);
  return packed(arrays, { format: 1, name });
}

function missing() {
  throw new ServerError("This report does not hold it.", 404);
}
