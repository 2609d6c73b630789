// A cache with a bound: what was used longest ago goes first.

export class Cache {
  #entries = new Map();
  #total = 0;

  constructor(limit) {
    this.limit = limit;
  }

  get size() {
    return this.#total;
  }

  has(key) {
    return this.#entries.has(key);
  }

  get(key) {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key, value, size) {
    this.delete(key);
    this.#entries.set(key, { value, size });
    this.#total += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#total <= this.limit || this.#entries.size === 1) break;
      this.delete(oldest);
    }
  }

  delete(key) {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#total -= entry.size;
    this.#entries.delete(key);
  }
}
