/** Durations and sizes as people write them: `30s`, `7d`, `50M`. */
import { z } from 'zod';

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const SIZE_BYTES = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** Milliseconds of `'500ms'`, `'30s'`, `'1.5h'`, `'7d'`, `'2w'`; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  return parseWithUnit(text, /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/, DURATION_MS);
}

/** Bytes of `'512B'`, `'64K'`, `'50M'`, `'2G'` (powers of 1,024); undefined for anything else. */
export function parseSizeBytes(text: string): number | undefined {
  return parseWithUnit(text, /^(\d+(?:\.\d+)?)\s*([BKMGT])$/, SIZE_BYTES);
}

/** A setting that is a duration; the value is in milliseconds. */
export function durationMs(range: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  return withUnit('a duration such as 500ms, 30s, 5m, 12h or 7d', parseDurationMs, range.minMs, range.maxMs);
}

/** A setting that is a size; the value is in bytes. */
export function sizeBytes(range: { readonly minBytes?: number; readonly maxBytes?: number } = {}) {
  return withUnit('a size such as 64K, 50M or 2G', parseSizeBytes, range.minBytes, range.maxBytes);
}

function withUnit(
  expected: string,
  parse: (text: string) => number | undefined,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
) {
  return z.string({ error: `expected ${expected}` }).transform((text, context) => {
    const value = parse(text.trim());
    if (value !== undefined && value >= min && value <= max) return value;
    const message = value === undefined ? `expected ${expected}` : `${value < min ? 'too small' : 'too large'}`;
    context.addIssue({ code: 'custom', message, input: text });
    return z.NEVER;
  });
}

function parseWithUnit<U extends string>(text: string, pattern: RegExp, units: Readonly<Record<U, number>>) {
  const [, number, unit] = pattern.exec(text) ?? [];
  const factor = unit === undefined ? undefined : new Map<string, number>(Object.entries(units)).get(unit);
  if (number === undefined || factor === undefined) return undefined;
  return Math.round(Number(number) * factor);
}
