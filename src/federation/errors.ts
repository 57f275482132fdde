import { limitExceeded, MatrixError } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonValue, readInteger, readString } from '../protocol/json/index.ts';

const RETRY_MS_DEFAULT = 1_000;
const RETRY_MS_MAX = 3_600_000;

/** The other server could not be reached, or what it answered was none. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly destination: ServerName;

  constructor(destination: ServerName, reason: string, cause?: unknown) {
    super(`${destination}: ${reason}`, { cause });
    this.destination = destination;
  }
}

/** The other server refused the request. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly destination: ServerName;
  readonly status: number;
  /** Its errcode, as it came. */
  readonly errcode: string | undefined;
  readonly reason: string | undefined;
  /** The whole answer, as far as it is JSON. */
  readonly body: JsonValue | undefined;

  constructor(destination: ServerName, status: number, body: JsonValue | undefined) {
    const errcode = isJsonObject(body) ? readString(body, 'errcode') : undefined;
    const reason = isJsonObject(body) ? readString(body, 'error') : undefined;
    super(`${destination} answered ${status} ${errcode ?? ''} ${reason ?? ''}`.trimEnd());
    this.destination = destination;
    this.status = status;
    this.errcode = errcode;
    this.reason = reason;
    this.body = body;
  }
}

/** What a client is told when another server can't help; anything else is thrown as it is. */
export function toClientError(error: unknown): unknown {
  if (error instanceof UnreachableError) {
    return new MatrixError('M_UNKNOWN', `${error.destination} can't be reached`, { status: 502 });
  }
  if (!(error instanceof RefusedError)) return error;
  const reason = error.reason ?? `${error.destination} refused`;
  if (error.status === 429) return limitExceeded(retryMsOf(error));
  if (error.status === 404) return new MatrixError('M_NOT_FOUND', reason);
  if (error.status === 403) return new MatrixError('M_FORBIDDEN', reason);
  if (error.errcode === 'M_INCOMPATIBLE_ROOM_VERSION') {
    const version = isJsonObject(error.body) ? readString(error.body, 'room_version') : undefined;
    const fields = version === undefined ? {} : { room_version: version };
    return new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', reason, { fields });
  }
  if (error.errcode === 'M_UNABLE_TO_AUTHORISE_JOIN') return new MatrixError('M_UNABLE_TO_AUTHORISE_JOIN', reason);
  return new MatrixError('M_UNKNOWN', reason, { status: 502 });
}

/** How long another server wants us to wait; it may say anything. */
function retryMsOf({ body }: RefusedError): number {
  const asked = isJsonObject(body) ? readInteger(body, 'retry_after_ms') : undefined;
  return Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_DEFAULT, asked ?? 0));
}
