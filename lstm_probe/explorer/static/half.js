// float16, through a table of all its 65,536 values.

export const HALF = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) HALF[bits] = sign * fraction * 2 ** -24;
  else if (exponent < 31) HALF[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  else HALF[bits] = fraction ? NaN : sign * Infinity;
}

/** Whether the bits are those of NaN or an infinity. */
export function isSpecial(bits) {
  return (bits & 0x7c00) === 0x7c00;
}

/** The largest finite number. What is beyond it is stored as this. */
export const LARGEST_HALF = 65504;

/** How far the number that a float16 stands for may be from it, if the float16 is the nearest one. */
export function halfWithin(value) {
  return 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 11);
}
