// Reads safetensors files. The bytes may be anything: every number is checked before it is used.

const TYPES = {
  F16: Uint16Array, // read through half.js
  F32: Float32Array,
  F64: Float64Array,
  I8: Int8Array,
  U8: Uint8Array,
  I32: Int32Array,
};
const LARGEST_HEADER = 16 * 2 ** 20;
const MOST_ARRAYS = 4096;

export class DamagedError extends Error {}

/** Arrays by name, each `{dtype, shape, data}`, and the header that lstm_probe wrote. */
export function readSafetensors(buffer) {
  if (buffer.byteLength < 8) damaged(`${buffer.byteLength} bytes`);
  const size = Number(new DataView(buffer).getBigUint64(0, true));
  if (!(size > 0 && size <= LARGEST_HEADER && size <= buffer.byteLength - 8)) damaged("a header that is too long");
  const header = json(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const entries = Object.entries(record(header)).filter(([name]) => name !== "__metadata__");
  if (entries.length > MOST_ARRAYS) damaged("too many arrays");
  const arrays = new Map(entries.map(([name, entry]) => [name, readArray(buffer, 8 + size, name, record(entry))]));
  const meta = record(json(record(header.__metadata__).lstm_probe));
  if (typeof meta.format !== "number") damaged("no format");
  if (meta.format > 1) throw new DamagedError("It was written by a newer lstm_probe: upgrade the one beside TensorBoard.");
  return { arrays, meta };
}

function readArray(buffer, start, name, entry) {
  const Type = Object.hasOwn(TYPES, entry.dtype) ? TYPES[entry.dtype] : damaged(`the type of ${name}`);
  const { shape, data_offsets: offsets } = entry;
  const numbers = Array.isArray(shape) && shape.length <= 4 && shape.every(isSize);
  if (!numbers || !Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) damaged(`the place of ${name}`);
  const [begin, end] = offsets;
  const count = shape.reduce((product, length) => product * length, 1);
  if (begin > end || start + end > buffer.byteLength || count * Type.BYTES_PER_ELEMENT !== end - begin) damaged(`the size of ${name}`);
  const offset = start + begin;
  const data =
    offset % Type.BYTES_PER_ELEMENT === 0
      ? new Type(buffer, offset, count)
      : new Type(buffer.slice(offset, start + end));
  return { dtype: entry.dtype, shape, data };
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return damaged("a header that is not JSON");
  }
}

function record(value) {
  return value && typeof value === "object" && !Array.isArray(value) ? value : damaged("its header");
}

function isSize(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

function damaged(what) {
  throw new DamagedError(`This capture is damaged: the log holds something else in its place (${what}).`);
}
