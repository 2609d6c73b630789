import assert from "node:assert/strict";
import test from "node:test";

import { bytes, load, rounds } from "./surroundings.mjs";

const { clip, clipMiddle, distinct, epoch, number, parsed, short, trueDigits, whole } = await load("format");
const { HALF, halfWithin } = await load("half");

const read = (text) => Number(text.replaceAll("−", "-"));

test("numbers are told to their digits", () => {
  rounds(1000, ({ between, whole: upTo, next }) => {
    const value = (next() < 0.5 ? -1 : 1) * 10 ** between(-12, 12);
    const digits = 3 + upTo(3);
    const text = number(value, digits);
    const size = Math.abs(value);
    const bound = size < 1e-3 || size >= 1e5 ? 0.5 * 10 ** -(digits - 2) * 10 ** Math.floor(Math.log10(size)) : 0.5 * 10 ** -(size >= 100 ? 1 : size >= 10 ? 2 : digits);
    assert.ok(Math.abs(read(text) - value) <= bound * (1 + 1e-9), `${value}: ${text}`);
    assert.ok(!text.includes("-"), text); // a minus sign, no hyphen
  });
});

/** The unit of a written number's last digit. */
function lastUnit(text) {
  const [mantissa, exponent] = read(text.split("e")[0]) === 0 ? [text, 0] : text.split("e");
  return 10 ** (Number((exponent ?? "0").toString().replace("−", "-")) - (mantissa.split(".")[1]?.length ?? 0));
}

test("of a float16 only the digits are shown that are true of the number it was", async () => {
  const numbers = new Float64Array(await bytes("numbers.f64"));
  const bits = new Uint16Array(await bytes("numbers.u16"));
  numbers.forEach((truth, index) => {
    const value = HALF[bits[index]];
    assert.ok(Math.abs(value - truth) <= halfWithin(value), `${truth}`);
    const text = trueDigits(value, halfWithin(value));
    // Rounded to be stored and rounded to be shown: less than one unit of the last digit together.
    const unit = Math.max(lastUnit(text), 2 * halfWithin(value));
    assert.ok(Math.abs(read(text) - truth) <= unit * (1 + 1e-9), `${truth}: ${text}`);
    assert.ok(lastUnit(text) >= 2 * halfWithin(value) || Math.abs(value) >= 1000, `${truth}: ${text}`);
  });
});

test("short numbers have three digits at most, two if they are very large or small", () => {
  rounds(1000, ({ between, next }) => {
    const value = (next() < 0.5 ? -1 : 1) * 10 ** between(-12, 12);
    const size = Math.abs(value);
    const digits = size < 1e-3 || size >= 1e5 ? 2 : 3;
    const text = short(value);
    assert.ok(Math.abs(read(text) - value) <= 0.5 * 10 ** (Math.floor(Math.log10(size)) + 1 - digits) * (1 + 1e-9), `${value}: ${text}`);
    assert.ok(text.length <= 8, text);
  });
});

for (const [found, expected] of [
  [number(null), "–"],
  [number(undefined), "–"],
  [number(NaN), "NaN"],
  [number(Infinity), "∞"],
  [number(-Infinity), "−∞"],
  [number(0), "0"],
  [number(-0), "0"],
  [number(-0.25), "−0.2500"],
  [number(12.345), "12.35"],
  [number(123.45), "123.5"],
  [number(1e-4, 3), "1.0e−4"],
  [trueDigits(0.73144, 0.000122), "0.731"],
  [trueDigits(0.73144, 0), "0.7314"],
  [trueDigits(0.73144, 0.5 / 255), "0.73"],
  [trueDigits(-12.3456, 0.004), "−12.35"],
  [trueDigits(-12.3456, 0.0041), "−12.35"],
  [trueDigits(12.3456, 0.01), "12.3"],
  [trueDigits(54321, 16), "5.43e4"],
  [trueDigits(1.234e-5, 2e-8), "1.23e−5"],
  [trueDigits(6e-8, 3e-8), "0.0000"],
  [trueDigits(0, 3e-8), "0"],
  [trueDigits(1.234e-7, 1e-11, 3), "1.2e−7"],
  [trueDigits(12.344, 0.006, 3), "12.3"],
  [trueDigits(NaN, 3e-8), "NaN"],
  [trueDigits(Infinity, 1), "∞"],
  [trueDigits(null, 0), "–"],
  [short(0), "0"],
  [short(NaN), "NaN"],
  [short(1e-5), "1e−5"],
  [short(-2.5e7), "−2.5e7"],
  [short(0.5), "0.5"],
  [whole(1234567), "1,234,567"],
  [epoch(3), "epoch 3"],
  [epoch(0.333333), "epoch 0.33"],
  [epoch(null), ""],
  [epoch("2"), ""],
  [clip("abc", 3), "abc"],
  [clip("abcd", 3), "ab…"],
]) {
  test(`“${expected}” is how it is written`, () => assert.equal(found, expected));
}

test("numbers of a header that are not finite are strings, and nothing else is a number", () => {
  assert.deepEqual(["nan", "inf", "-inf"].map(parsed), [NaN, Infinity, -Infinity]);
  assert.deepEqual([0, -1.5, NaN].map(parsed), [0, -1.5, NaN]);
  for (const value of ["1", "constructor", "__proto__", "toString", null, undefined, {}, [], true, "NaN"]) assert.equal(parsed(value), null);
});

test("names keep both ends, and what tells them apart", () => {
  assert.deepEqual([clipMiddle("short", 9), clipMiddle("encoder/forward_lstm", 9)], ["short", "enco…lstm"]);
  assert.deepEqual(distinct(["a/x/lstm_probe", "a/y/lstm_probe"]), ["x", "y"]);
  assert.deepEqual(distinct(["a/lstm_probe", "b/c/lstm_probe", "b/lstm_probe"]), ["a", "b/c", "b"]);
  assert.deepEqual(distinct(["a/b", "a/b/c"]), ["b", "b/c"]);
  assert.deepEqual([distinct(["only/one"]), distinct([])], [["only/one"], []]);
});
