// Writes safetensors files, and turns the report's arrays of one byte a value back into float16.

import { readSafetensors } from "./safetensors.js";

/** A capture as the log has it: gates that the report keeps in one byte a value become float16 again. */
export function dequantised(buffer) {
  const { arrays, meta } = readSafetensors(buffer);
  const scales = Object.entries(meta.quantised ?? {});
  if (!scales.length) return buffer;
  for (const [name, [low, step]] of scales) {
    const { shape, data } = arrays.get(name);
    const halves = Uint16Array.from({ length: 256 }, (_, code) => toHalf(low + step * code));
    arrays.set(name, { dtype: "F16", shape, data: Uint16Array.from(data, (code) => halves[code]) });
  }
  return packed(arrays, meta);
}

/** Arrays by name, each `{dtype, shape, data}`, as a safetensors file. */
export function packed(arrays, meta) {
  const header = { __metadata__: { lstm_probe: JSON.stringify(meta) } };
  let end = 0;
  for (const [name, { dtype, shape, data }] of arrays) {
    header[name] = { dtype, shape, data_offsets: [end, (end += data.byteLength)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const size = Math.ceil(text.length / 8) * 8; // so that the arrays are aligned
  const buffer = new ArrayBuffer(8 + size + end);
  new DataView(buffer).setBigUint64(0, BigInt(size), true);
  new Uint8Array(buffer, 8, size).fill(32).set(text);
  let place = 8 + size;
  for (const { data } of arrays.values()) {
    new Uint8Array(buffer, place).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    place += data.byteLength;
  }
  return buffer;
}

/** The bits of the float16 that is nearest to a finite number. */
export function toHalf(value) {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.min(15, Math.floor(Math.log2(size)));
  const bits = ((exponent + 15) << 10) + Math.round((size / 2 ** exponent - 1) * 1024);
  return sign | Math.min(bits, 0x7bff);
}
