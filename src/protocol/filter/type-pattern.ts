/** Event types with `*` for any sequence of characters. Spec: client-server-api/#filtering */
export class TypePattern {
  readonly #exact: ReadonlySet<string>;
  /** Each pattern split at its stars. */
  readonly #globs: readonly (readonly string[])[];

  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
    this.#globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'));
  }

  /** Whether there is no pattern, so that no type is covered. */
  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#globs.length === 0;
  }

  /** Whether one of the patterns covers `type`. */
  matches(type: string): boolean {
    return this.#exact.has(type) || this.#globs.some((parts) => matchesGlob(parts, type));
  }
}

/** Matches without a regular expression, in linear time: what a client sends must not be able to cost more. */
function matchesGlob(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
