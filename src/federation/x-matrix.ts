/**
 * The `Authorization` header of federation requests.
 * Spec: server-server-api/#request-authentication
 */
import type { SigningKey } from '../protocol/crypto/index.ts';
import { type KeyId, parseKeyId, parseServerName, type ServerName } from '../protocol/ids/index.ts';
import { canonicalJsonLenient, type JsonObject } from '../protocol/json/index.ts';

/** What the header says. */
export interface XMatrix {
  readonly origin: ServerName;
  /** Missing in the requests of very old servers. */
  readonly destination: string | undefined;
  readonly keyId: KeyId;
  readonly signature: string;
}

/** Writes the header, as old servers understand it too. */
export function formatXMatrix(origin: ServerName, destination: ServerName, keyId: KeyId, signature: string): string {
  return `X-Matrix origin="${origin}",destination="${destination}",key="${keyId}",sig="${signature}"`;
}

/** A request as its signature covers it. */
export interface SignedRequestParts {
  readonly destination: ServerName;
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Percent-encoded, with the query. */
  readonly path: string;
  readonly content?: JsonObject | undefined;
}

/** The header of a request of ours. */
export function signedAuthorization(
  origin: ServerName,
  key: SigningKey,
  { destination, method, path, content }: SignedRequestParts,
): string {
  const request = { method, uri: path, origin, destination, ...(content === undefined ? {} : { content }) };
  // Events of old room versions have numbers that strict canonical JSON refuses.
  return formatXMatrix(origin, destination, key.keyId, key.sign(canonicalJsonLenient(request)));
}

const SCHEME = /^x-matrix +/i;
/** One parameter with the comma behind it: a value is quoted, or anything without comma, quote and space. */
const PARAMETER = /[ \t]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))[ \t]*(?:,|$)/y;
const HEADER_CHARS_MAX = 4096;

/** Reads the header; undefined where it is of another scheme or lacks something. */
export function parseXMatrix(header: string): XMatrix | undefined {
  const scheme = SCHEME.exec(header);
  if (scheme === null || header.length > HEADER_CHARS_MAX) return undefined;
  const values = parseParameters(header.slice(scheme[0].length));
  const origin = parseServerName(values?.get('origin') ?? '');
  const keyId = parseKeyId(values?.get('key') ?? '');
  const signature = values?.get('sig') ?? values?.get('signature');
  if (origin === undefined || keyId === undefined || signature === undefined) return undefined;
  return { origin, destination: values?.get('destination'), keyId, signature };
}

function parseParameters(text: string): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length) {
    const match = PARAMETER.exec(text);
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || values.has(name)) return undefined;
    values.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '');
  }
  return values;
}
