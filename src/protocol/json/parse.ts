import type { JsonValue } from './value.ts';

/** How deep arrays and objects may be nested. Recursive code relies on it not to exhaust the stack. */
export const JSON_DEPTH_MAX = 500;

/** Text that isn't JSON, or JSON that is nested deeper than `JSON_DEPTH_MAX` or has more values than was said. */
export class BadJsonError extends Error {
  override readonly name = 'BadJsonError';
}

/**
 * Parses JSON text.
 * Of a key that is given twice the last one counts. Integers beyond ±2^53 lose digits, as in every JavaScript parser.
 * @param valuesMax how many values it may hold, all levels together: in memory each takes ten times what it takes as text
 * @throws BadJsonError
 */
export function parseJson(text: string, valuesMax = Number.POSITIVE_INFINITY): JsonValue {
  // Each level costs two characters, so a short text can't be too deep. Each value costs two as well.
  if (text.length > 2 * JSON_DEPTH_MAX || text.length > 2 * valuesMax) checkSize(text, valuesMax);
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The parser's message quotes the text, which may hold secrets.
    throw new BadJsonError('Not valid JSON');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;

/**
 * Counts brackets and commas outside strings. On text that isn't JSON the answer means nothing, and the parser refuses it anyway.
 * @throws BadJsonError
 */
function checkSize(text: string, valuesMax: number): void {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) {
      inString = true;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth++;
      values++;
      if (depth > JSON_DEPTH_MAX) throw new BadJsonError(`JSON is nested deeper than ${JSON_DEPTH_MAX} levels`);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth--;
    } else if (code === COMMA) {
      values++;
    }
    if (values > valuesMax) throw new BadJsonError(`JSON has more than ${valuesMax} values`);
  }
}
