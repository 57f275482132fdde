/**
 * A map with values that are decided but not committed yet, above those that are. `get` sees both, readers see `committed`.
 * Values are compared by identity.
 */
export class Overlay<K, V extends object> {
  readonly committed = new Map<K, V>();
  readonly #ahead = new Map<K, V>();

  get(key: K): V | undefined {
    return this.#ahead.get(key) ?? this.committed.get(key);
  }

  /** Decides a value, ahead of its commit. */
  set(key: K, value: V): void {
    this.#ahead.set(key, value);
  }

  /** The value is committed; one that was decided after it stays ahead. */
  commit(key: K, value: V): void {
    this.committed.set(key, value);
    if (this.#ahead.get(key) === value) this.#ahead.delete(key);
  }

  /** What `get` sees. */
  *entries(): Iterable<readonly [K, V]> {
    for (const [key, value] of this.committed) yield [key, this.#ahead.get(key) ?? value];
    for (const [key, value] of this.#ahead) if (!this.committed.has(key)) yield [key, value];
  }
}
