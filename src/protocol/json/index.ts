/** JSON: values, bounded parsing, canonical encoding. */
export { canonicalJson, canonicalJsonLenient, compareCodePoints, NotCanonicalError } from './canonical.ts';
export { parseExactJson, withPlainNumbers } from './exact.ts';
export { BadJsonError, JSON_DEPTH_MAX, parseJson } from './parse.ts';
export {
  isJsonArray,
  isJsonObject,
  isStringArray,
  type JsonObject,
  type JsonValue,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
  readStrings,
  readValue,
} from './value.ts';
