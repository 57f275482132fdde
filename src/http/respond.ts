/** Writes answers. Headers are flat lists of names and values, which node:http sends without copying. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline as pipe } from 'node:stream/promises';
import { constants, gzip } from 'node:zlib';
import type { MatrixError } from '../protocol/errors.ts';
import { RawJson, Reply, type ReplyBody, type Result, WrittenBody } from './result.ts';

/** JSON shorter than this (in UTF-16 units) is sent as it is: compressing it would cost more than it saves. */
export const GZIP_UNITS_MIN = 4096;

/** Fast; higher levels cost several times the time for some percent. */
const GZIP_OPTIONS = { level: 3, memLevel: 8, strategy: constants.Z_DEFAULT_STRATEGY };

const NO_HEADERS: Readonly<Record<string, string>> = {};

/**
 * Sends what a handler answered. `common` are the headers that every answer of the resource carries. Returns a promise
 * only for streams; it settles when the stream is sent, and rejects where the stream or the client failed.
 */
export function sendResult(
  incoming: IncomingMessage,
  response: ServerResponse,
  result: Result,
  common: readonly string[],
): Promise<void> | undefined {
  if (result instanceof RawJson) return sendJson(incoming, response, 200, NO_HEADERS, result.json, common);
  if (result instanceof Reply) return sendReply(incoming, response, result, common);
  return sendJson(incoming, response, 200, NO_HEADERS, JSON.stringify(result), common);
}

function sendReply(
  incoming: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply,
  common: readonly string[],
): Promise<void> | undefined {
  const text = jsonText(body);
  if (text !== undefined) return sendJson(incoming, response, status, headers, text, common);
  const head = headList(headers, common);
  if (body instanceof Readable) {
    response.writeHead(status, head);
    if (incoming.method !== 'HEAD') return pipe(body, response);
    body.destroy();
    response.end();
    return undefined;
  }
  if (body instanceof WrittenBody) return sendWritten(incoming, response, status, head, body);
  const bytes = typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined;
  if (status !== 204 && status !== 304) head.push('content-length', String(bytes?.length ?? 0));
  response.writeHead(status, head);
  response.end(incoming.method === 'HEAD' ? undefined : bytes);
  return undefined;
}

async function sendWritten(
  incoming: IncomingMessage,
  response: ServerResponse,
  status: number,
  head: string[],
  body: WrittenBody,
): Promise<void> {
  response.writeHead(status, head);
  if (incoming.method === 'HEAD') await body.discard();
  else await body.writeTo(response);
  response.end();
}

/** The body's JSON where it is to be sent as such. */
function jsonText(body: ReplyBody): string | undefined {
  if (body instanceof RawJson) return body.json;
  if (typeof body !== 'object' || body instanceof Uint8Array || body instanceof Readable) return undefined;
  if (body instanceof WrittenBody) return undefined;
  return JSON.stringify(body);
}

/** Sends JSON, compressed where it is long and the client takes gzip. */
export function sendJson(
  incoming: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  json: string,
  common: readonly string[],
): undefined {
  const head = headList(headers, common);
  if (headers['content-type'] === undefined) head.push('content-type', 'application/json');
  if (headers['cache-control'] === undefined) head.push('cache-control', 'no-store');
  if (json.length >= GZIP_UNITS_MIN) {
    head.push('vary', 'accept-encoding');
    if (takesGzip(incoming)) {
      sendGzip(incoming, response, status, json, head);
      return;
    }
  }
  head.push('content-length', String(Buffer.byteLength(json)));
  response.writeHead(status, head);
  response.end(incoming.method === 'HEAD' ? undefined : json);
}

function sendGzip(incoming: IncomingMessage, response: ServerResponse, status: number, json: string, head: string[]) {
  response.statusCode = status;
  gzip(json, GZIP_OPTIONS, (error, bytes) => {
    if (response.destroyed) return;
    if (error !== null) {
      response.destroy(error);
      return;
    }
    head.push('content-encoding', 'gzip', 'content-length', String(bytes.length));
    response.writeHead(status, head);
    response.end(incoming.method === 'HEAD' ? undefined : bytes);
  });
}

/**
 * Sends a refusal. Of a body that nobody will read a short rest is left to node:http, which skips it. For a longer one the
 * connection is closed, but not before the client had the time to read the answer: closing a socket with unread data
 * resets it, and the answer would be lost.
 */
export function sendRefusal(
  incoming: IncomingMessage,
  response: ServerResponse,
  refusal: MatrixError,
  common: readonly string[],
): void {
  const json = JSON.stringify(refusal.toBody());
  if (!hasLongRest(incoming)) {
    sendJson(incoming, response, refusal.status, refusal.headers, json, common);
    return;
  }
  const head = headList({ ...refusal.headers, connection: 'close' }, common);
  head.push('content-type', 'application/json', 'cache-control', 'no-store');
  head.push('content-length', String(Buffer.byteLength(json)));
  response.writeHead(refusal.status, head);
  response.write(json);
  skipThenEnd(incoming, response);
}

/** Up to here an unread body is skipped on the same connection. */
const SKIP_BYTES_MAX = 256 * 1024;
/** How long and how far a longer one is read on, so that its client sees the answer. */
const LINGER_MS = 2000;
const LINGER_BYTES_MAX = 16 * 1024 * 1024;

function hasLongRest(incoming: IncomingMessage): boolean {
  if (incoming.complete) return false;
  const { headers } = incoming;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > SKIP_BYTES_MAX;
}

function skipThenEnd(incoming: IncomingMessage, response: ServerResponse): void {
  let skippedBytes = 0;
  const finish = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(finish, LINGER_MS);
  incoming.on('error', finish).once('end', finish).once('close', finish);
  incoming.on('data', (chunk: Buffer) => {
    skippedBytes += chunk.length;
    if (skippedBytes > LINGER_BYTES_MAX) finish();
  });
  incoming.resume();
}

/** Whether the client takes gzip: a refusal (`gzip;q=0`) is heeded, preferences are not. */
function takesGzip(incoming: IncomingMessage): boolean {
  const accepted = incoming.headers['accept-encoding'];
  return typeof accepted === 'string' && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*(?:,|$)))/i.test(accepted);
}

/** A new list, for the caller to push to. */
function headList(headers: Readonly<Record<string, string>>, common: readonly string[]): string[] {
  const head = common.slice();
  if (headers === NO_HEADERS) return head;
  for (const name in headers) head.push(name, headers[name] ?? '');
  return head;
}
