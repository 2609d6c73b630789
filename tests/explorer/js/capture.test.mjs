import assert from "node:assert/strict";
import test from "node:test";

import { bytes, json, load, rounds } from "./surroundings.mjs";

const { Capture, position } = await load("capture");
const { DamagedError, readSafetensors } = await load("safetensors");
const { packed } = await load("packing");
const { precisionNote, readCell, shown } = await load("readout");
const { HALF } = await load("half");

const buffer = await bytes("capture.safetensors");
const expected = await json("capture.json");
const capture = new Capture(buffer);

test("a capture of a projected LSTM has the values of its trace", () => {
  assert.deepEqual(capture.letters, expected.letters);
  assert.deepEqual([capture.batch, capture.time, capture.units, capture.width("h")], [2, 9, 7, 3]);
  for (const [letter, gate] of Object.entries(expected.gates)) {
    gate.forEach((rows, b) => rows.forEach((row, t) => row.forEach((value, u) => assert.equal(capture.value(letter, b, t, u), value, `${letter} ${b} ${t} ${u}`))));
    assert.equal(capture.value(letter, 0, 0, capture.width(letter)), null);
    assert.equal(capture.value(letter, 0, 0, -1), null);
  }
});

test("the error is that of the framework, within float16 of the largest", () => {
  const all = expected.error.flat(2);
  const largest = Math.max(...all.map(Math.abs));
  assert.ok(largest > 0);
  expected.error.forEach((rows, b) => rows.forEach((row, t) => row.forEach((value, u) => assert.ok(Math.abs(capture.errorAt(b, t, u) - value) <= largest * 2 ** -11))));
  assert.equal(capture.errorAt(0, 0, 3), null); // h has three units
});

test("masked steps do not count, and have no error beside their values", () => {
  expected.mask.forEach((row, b) =>
    row.forEach((counts, t) => {
      assert.equal(capture.counts(b, t), counts);
      const cell = readCell(capture, b, t, 2, "f");
      assert.equal(cell.counts, counts);
      assert.equal(cell.error === null, !counts);
      if (counts) assert.equal(cell.framework, capture.value("h", b, t, 2) + capture.errorAt(b, t, 2));
      assert.deepEqual(cell.gates.map(({ letter, value }) => [letter, value]), expected.letters.map((letter) => [letter, expected.gates[letter][b][t][2]]));
    }),
  );
});

test("a unit that a projected h lacks has gates alone", () => {
  const cell = readCell(capture, 1, 0, 5, "f");
  assert.equal(cell.unit, 5);
  assert.equal(cell.gates.find(({ letter }) => letter === "f").value, expected.gates.f[1][0][5]);
  assert.equal(cell.gates.find(({ letter }) => letter === "h").value, null);
  assert.equal(cell.error, null);
});

test("labels, ranges and vectors are those of the header", () => {
  for (const sequence of [0, 1]) expected.labels.forEach((label, t) => assert.equal(capture.label(sequence, t), label));
  assert.equal(capture.names, null);
  assert.deepEqual(capture.range("f"), [0, 1]);
  assert.deepEqual(capture.range("h"), null); // a projection has no bounds
  assert.deepEqual(Array.from(capture.vector("horizon")), expected.horizon.map(Math.fround));
  assert.equal(capture.vector("gates/f"), null);
  assert.equal(capture.vector("no such"), null);
  assert.equal(capture.parity.verdict.kind, expected.verdict);
});

/** The same capture with other arrays or another header. */
function changed({ arrays = {}, meta = {}, without = [] }) {
  const read = readSafetensors(buffer);
  for (const name of without) read.arrays.delete(name);
  for (const [name, array] of Object.entries(arrays)) read.arrays.set(name, array);
  return packed(read.arrays, { ...read.meta, ...meta });
}

const cube = (shape, dtype = "F16") => ({ dtype, shape, data: dtype === "F16" ? new Uint16Array(shape.reduce((a, b) => a * b, 1)) : new Float32Array(shape.reduce((a, b) => a * b, 1)) });

for (const [what, changes] of [
  ["no gates", { without: expected.letters.map((letter) => `gates/${letter}`) }],
  ["a gate with two axes", { arrays: { "gates/f": cube([2, 9]) } }],
  ["a gate of another type", { arrays: { "gates/f": cube([2, 9, 7], "F32") } }],
  ["gates of different lengths", { arrays: { "gates/f": cube([2, 8, 7]) } }],
]) {
  test(`damage is told: ${what}`, () => {
    assert.throws(() => new Capture(changed(changes)), DamagedError);
  });
}

test("a header and indices of a stranger change no value and break nothing", () => {
  const strange = new Capture(changed({ arrays: { units: { dtype: "I32", shape: [2], data: Int32Array.of(9, 9) }, mask: { dtype: "U8", shape: [1], data: Uint8Array.of(0) }, "error/h": cube([1, 1, 1]) }, meta: { letters: "constructor", titles: 7, ranges: { f: [1, 0], i: ["a", 2] }, parity: "x", labels: { length: 3 }, error_scale: "constructor" } }));
  assert.deepEqual(new Set(strange.letters), new Set(expected.letters));
  assert.equal(strange.value("f", 1, 3, 4), expected.gates.f[1][3][4]);
  assert.deepEqual(Array.from(strange.unitIndices()), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual([strange.range("f"), strange.range("i"), strange.parity, strange.label(0, 0), strange.mask, strange.error], [null, null, null, null, null, null]);
  assert.equal(strange.title("f"), "f");
  assert.equal(strange.scale, 1);
});

const sentencesBuffer = await bytes("sentences.safetensors");
const sentences = new Capture(sentencesBuffer);
const { words, names, exact } = await json("sentences.json");

test("each sequence has its own labels and its own name", () => {
  words.forEach((row, b) => row.forEach((word, t) => {
    assert.equal(sentences.label(b, t), word);
    assert.equal(readCell(sentences, b, t, 0).label, word);
  }));
  assert.notEqual(sentences.label(0, 2), sentences.label(1, 2));
  assert.deepEqual(sentences.names, names);
  assert.equal(sentences.longestLabel, 5);
  assert.deepEqual([sentences.sameLabels(sentences, 1), sentences.sameLabels(capture, 1)], [true, false]);
});

test("labels and names of another number are none", () => {
  const { arrays, meta } = readSafetensors(sentencesBuffer);
  for (const rows of [words.slice(1), [words[0], words[1].slice(1)], [words[0], "bad"], "words", { length: 2 }]) {
    const strange = new Capture(packed(arrays, { ...meta, sequence_labels: rows, sequence_names: names.slice(1) }));
    assert.deepEqual([strange.label(0, 0), strange.longestLabel, strange.names], [null, null, null]);
  }
});

test("gates in float32 are taken where the log holds them, and say so", () => {
  for (const [letter, gate] of Object.entries(exact)) {
    gate.forEach((rows, b) => rows.forEach((row, t) => row.forEach((value, u) => assert.equal(sentences.value(letter, b, t, u), value))));
    assert.ok(sentences.within(letter, 0.7) < 1e-7);
  }
  assert.deepEqual([sentences.precision, capture.precision], ["float32", "float16"]);
  const { arrays, meta } = readSafetensors(sentencesBuffer);
  const { shape } = arrays.get("float32/f");
  for (const damaged of [cube(shape), cube([1, ...shape.slice(1)], "F32")]) {
    const strange = new Capture(packed(new Map([...arrays, ["float32/f", damaged]]), meta));
    assert.equal(strange.value("f", 1, 3, 4), HALF[arrays.get("gates/f").data[strange.offset("f", 1, 3, 4)]]);
    assert.equal(strange.precision, "float16");
  }
});

test("what is shown of a gate is true to its last digit, whether it is stored in float16 or float32", () => {
  for (const [stored, digits] of [[capture, 1], [sentences, 4]]) {
    for (const [letter, gate] of Object.entries(exact)) {
      gate.forEach((rows, b) => rows.forEach((row, t) => row.forEach((truth, u) => {
        const cell = readCell(stored, b, t, u, letter).gates.find((each) => each.letter === letter);
        if (cell.value === null) return;
        const text = shown(cell).replaceAll("−", "-");
        const [mantissa, exponent] = text.split("e");
        const unit = 10 ** (Number(exponent ?? 0) - (mantissa.split(".")[1]?.length ?? 0));
        assert.ok(Math.abs(Number(text) - truth) <= unit, `${letter}: ${text}, not ${truth}`);
        if (Math.abs(truth) > 0.1) assert.ok(mantissa.split(".")[1].length >= digits, text);
      })));
    }
  }
});

test("a number beyond the range of float16 is not shown as if it were that of its end", () => {
  const beyond = new Capture(changed({ arrays: { "gates/c": { ...cube([2, 9, 7]), data: new Uint16Array(126).fill(0xfbff) } } }));
  assert.equal(shown(readCell(beyond, 0, 0, 0, "c").gates.find(({ letter }) => letter === "c")), "≤ −6.55e4");
});

test("a report that keeps a byte a value shows the digits of that byte", () => {
  const coarse = new Capture(changed({ meta: { quantised: { "gates/f": [0, 1 / 255] } } }));
  const text = shown(readCell(coarse, 0, 0, 0, "f").gates.find(({ letter }) => letter === "f"));
  assert.match(text, /^[01]\.\d\d$/);
  assert.match(precisionNote(coarse), /1\/255/);
  assert.match(precisionNote(capture), /float16/);
  assert.match(precisionNote(sentences), /float32/);
});

test("the position of an index is that of the nearest, of two the higher", () => {
  rounds(200, ({ whole }) => {
    const indices = [...new Set(Array.from({ length: 1 + whole(12) }, () => whole(60)))].sort((a, b) => a - b);
    const wanted = whole(70) - 5;
    const distances = indices.map((index) => Math.abs(index - wanted));
    assert.equal(position(indices, wanted), distances.lastIndexOf(Math.min(...distances)), `${wanted} in ${indices}`);
  });
});

const floats = (shape) => ({ dtype: "F32", shape, data: Float32Array.from({ length: shape[0] * shape[1] }, (_, index) => index) });

/** Four of twelve sequences, with changes of the header. */
function grouped(changes = {}, output = floats([4, 1])) {
  const arrays = new Map([
    ["gates/h", { dtype: "F16", shape: [4, 2, 1], data: new Uint16Array(8) }],
    ["sequences", { dtype: "I32", shape: [4], data: Int32Array.from([0, 1, 8, 9]) }],
    ["output/0", output],
  ]);
  const groups = [["train", 8], ["validation", 4]];
  return new Capture(packed(arrays, { format: 1, letters: ["h"], ranges: { h: null }, shape: [12, 2, 1], groups, outputs: [{ name: "", shape: [1] }], ...changes }));
}

test("sequences of named probes are called by these, and by their numbers in them", () => {
  const named = grouped({ sequence_names: ["train 0", "good", "validation 0", "bad"] });
  assert.deepEqual([0, 1, 2, 3].map((b) => named.called(b)), ["train 0", "train 1", "validation 0", "validation 1"]);
  assert.deepEqual([0, 1, 2, 3].map((b) => named.nameOf(b)), [null, "good", null, "bad"]);
  assert.deepEqual([1, 2].map((b) => named.titleOf(b)), ["train 1 “good”", "validation 0"]);
  assert.deepEqual(named.probes, [{ name: "train", sequences: [0, 1] }, { name: "validation", sequences: [2, 3] }]);
});

test("probes that make up no batch are none", () => {
  for (const groups of [undefined, 7, [["train", 8]], [["train", 12.5]], [["train", -1], ["b", 13]], ["train"], [["a", "12"]]]) {
    const plain = grouped({ groups });
    assert.deepEqual([plain.probes.length, plain.called(2)], [0, "8"], JSON.stringify(groups));
  }
});

test("of large outputs those sequences are told that are stored", () => {
  const [all] = grouped().outputs;
  assert.deepEqual([0, 3].map((b) => [all.has(b), all.value(b, 0)]), [[true, 0], [true, 3]]);
  const [part] = grouped({ outputs: [{ name: "", shape: [1], sequences: [0, 2], range: [-1, 2] }] }, floats([2, 1])).outputs;
  assert.deepEqual([0, 1, 2].map((b) => [part.has(b), part.value(b, 0)]), [[true, 0], [false, null], [true, 1]]);
  assert.deepEqual(part.range, [-1, 2]);
  const [strange] = grouped({ outputs: [{ name: "", shape: [1], sequences: "all", range: ["a", null] }] }).outputs;
  assert.deepEqual([strange.value(1, 0), strange.range], [1, null]);
});
