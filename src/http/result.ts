/** What a route's handler may answer: an object, JSON that is already serialised, or a whole reply. */
import type { Readable, Writable } from 'node:stream';

/** JSON that the handler has serialised itself. Sent with status 200. */
export class RawJson {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

/** A body that writes itself, for what streams would cost too much. */
export abstract class WrittenBody {
  /** Writes all bytes, no faster than they are taken. Doesn't end `target`. Rejects where the source fails or `target` closes. */
  abstract writeTo(target: Writable): Promise<void>;
  /** Gives up what it holds, where it isn't written. */
  abstract discard(): Promise<void>;
}

/** What a `Reply` may carry: bytes, text or a stream are sent as they are, `RawJson` and other objects as JSON. */
export type ReplyBody = string | Uint8Array | Readable | WrittenBody | RawJson | object | undefined;

/** A reply with status and headers. */
export class Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ReplyBody;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: ReplyBody) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** The outcome of a handler; a plain object is sent as JSON with status 200. A refusal is thrown as a `MatrixError`. */
export type Result<Body extends object = object> = Body | RawJson | Reply;

/** An answer of JSON that is already serialised: `json` is sent as it is. */
export function rawJson(json: string): RawJson {
  return new RawJson(json);
}

/** An answer with another status than 200, further headers (names in lower case), or a body that isn't JSON. */
export function reply(options: {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ReplyBody;
}): Reply {
  return new Reply(options.status ?? 200, options.headers ?? NO_HEADERS, options.body);
}

const NO_HEADERS = {};
