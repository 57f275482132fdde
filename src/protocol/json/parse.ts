import type { JsonValue } from './value.ts';

/** How deep arrays and objects may be nested. Recursive code relies on it not to exhaust the stack. */
export const JSON_DEPTH_MAX = 500;

/** Text that isn't JSON, or JSON that is nested deeper than `JSON_DEPTH_MAX`. */
export class BadJsonError extends Error {
  override readonly name = 'BadJsonError';
}

/**
 * Parses JSON text.
 * Of a key that is given twice the last one counts. Integers beyond ±2^53 lose digits, as in every JavaScript parser.
 * @throws BadJsonError
 */
export function parseJson(text: string): JsonValue {
  // Each level costs two characters, so a short text can't be too deep.
  if (text.length > 2 * JSON_DEPTH_MAX && isTooDeep(text)) {
    throw new BadJsonError(`JSON is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
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

/** Counts brackets outside strings. On text that isn't JSON the answer means nothing, and the parser refuses it anyway. */
function isTooDeep(text: string): boolean {
  let depth = 0;
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
      if (depth > JSON_DEPTH_MAX) return true;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth--;
    }
  }
  return false;
}
