/** Reads request bodies within a limit of bytes and of time. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { badJson, MatrixError, notJson, tooLarge } from '../protocol/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../protocol/json/index.ts';
import type { RawBody } from './route.ts';

/**
 * Values in a JSON body. Who sends it is known only when it has been read, and millions of them stop the server for seconds.
 * 50 events of 64 KiB can't have so many, whatever is in them.
 */
const VALUES_MAX = 2_000_000;

/** How long a JSON body may take to arrive, and how long an upload may pause, in milliseconds. */
export const BODY_TIMEOUT_MS_DEFAULT = 60_000;

/**
 * All bytes of the body. Refuses with `M_TOO_LARGE` above `bytesMax` without reading on, with 408 `M_UNKNOWN` after
 * `timeoutMs`. A client that went away is refused too; nobody hears it.
 */
export function readBody(request: IncomingMessage, bytesMax: number, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = request.headers['content-length'];
    if (announced !== undefined && Number(announced) > bytesMax) {
      reject(bodyTooLarge(bytesMax));
      return;
    }
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let length = 0;
    const timer = setTimeout(() => finish(bodyTooSlow()), timeoutMs);
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > bytesMax) finish(bodyTooLarge(bytesMax));
      else if (first === undefined) first = chunk;
      else if (more === undefined) more = [first, chunk];
      else more.push(chunk);
    };
    const onEnd = (): void => finish(undefined);
    const onClose = (): void => finish(bodyCutOff());
    function finish(error: MatrixError | undefined): void {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (error !== undefined) {
        request.pause();
        request.on('error', ignoreError);
        reject(error);
      } else {
        resolve(more === undefined ? (first ?? EMPTY) : Buffer.concat(more, length));
      }
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

const EMPTY = Buffer.alloc(0);

/** A later error of a request that was already refused: its connection is closed anyway. */
function ignoreError(): void {}

/**
 * Parses a JSON body whatever its content type, for clients vary. An empty body counts as an empty object, since many
 * clients send none where all keys are optional.
 * Throws `M_NOT_JSON` for what isn't JSON in UTF-8, and `M_BAD_JSON` for JSON that is no object.
 */
export function parseBody(
  bytes: Buffer,
  parse: (text: string, valuesMax: number) => JsonValue = parseJson,
): JsonObject {
  if (bytes.length === 0) return EMPTY_OBJECT;
  if (!isUtf8(bytes)) throw notJson('The request body is not UTF-8');
  let value: unknown;
  try {
    value = parse(bytes.toString('utf8'), VALUES_MAX);
  } catch {
    throw notJson('The request body is not JSON');
  }
  if (!isJsonObject(value)) throw badJson('The request body must be a JSON object');
  return value;
}

const EMPTY_OBJECT: JsonObject = Object.freeze({});

/** The body for a route that reads it by itself. Refuses at once what is announced as larger than `bytesMax`. */
export function rawBody(request: IncomingMessage, bytesMax: number, timeoutMs: number): RawBody {
  const announced = request.headers['content-length'];
  const contentLength = announced === undefined ? undefined : Number(announced);
  if (contentLength !== undefined && contentLength > bytesMax) throw bodyTooLarge(bytesMax);
  return {
    contentType: request.headers['content-type'],
    contentLength,
    stream: () => limitedStream(request, bytesMax, timeoutMs),
    bytes: () => readBody(request, bytesMax, timeoutMs),
  };
}

function limitedStream(request: IncomingMessage, bytesMax: number, timeoutMs: number): Readable {
  let length = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      timer.refresh();
      if (length > bytesMax) done(bodyTooLarge(bytesMax));
      else done(null, chunk);
    },
  });
  const timer = setTimeout(() => limited.destroy(bodyTooSlow()), timeoutMs);
  limited.once('close', () => {
    clearTimeout(timer);
    request.unpipe(limited);
  });
  request.once('close', () => {
    if (!request.complete) limited.destroy(bodyCutOff());
  });
  request.on('error', ignoreError);
  return request.pipe(limited);
}

const bodyTooLarge = (bytesMax: number): MatrixError => tooLarge(`The request body exceeds ${bytesMax} bytes`);
const bodyTooSlow = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'The request body took too long', { status: 408, headers: { connection: 'close' } });
const bodyCutOff = (): MatrixError => new MatrixError('M_UNKNOWN', 'The request was cut off', { status: 400 });
