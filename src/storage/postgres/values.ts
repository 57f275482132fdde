import { types } from 'pg';

// PostgreSQL's text can't hold U+0000, which Matrix allows in state keys and elsewhere. It travels as a noncharacter and a digit.
const ESCAPE = '\uFFFF';

/** A parameter as PostgreSQL takes it. */
export function toPostgres(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value);
  if (Array.isArray(value)) return value.map(toPostgres);
  return value;
}

function escapeText(text: string): string {
  if (!text.includes('\0') && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\0', `${ESCAPE}0`);
}

function unescapeText(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  return text.replaceAll(`${ESCAPE}0`, '\0').replaceAll(`${ESCAPE}1`, ESCAPE);
}

const { builtins } = types;
const TEXT_PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  // All our integers are below 2^53; sums come as numeric.
  [builtins.INT8, Number],
  [builtins.NUMERIC, Number],
  [builtins.TEXT, unescapeText],
  [builtins.VARCHAR, unescapeText],
  // Comparisons answer 1 and 0 as on SQLite.
  [builtins.BOOL, (text) => (text === 't' ? 1 : 0)],
]);

/** How columns become values: numbers are numbers. */
export const typeParsers = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    const own = format === 'binary' ? undefined : TEXT_PARSERS.get(oid);
    return own ?? types.getTypeParser(oid, format);
  },
};
