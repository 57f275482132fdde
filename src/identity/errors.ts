import { type Errcode, MatrixError } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import type { IdentityAnswer } from './connection.ts';

/**
 * What clients may be told in an identity server's words. Not `M_UNKNOWN_TOKEN` and the like: a client would take it for
 * its token with us and log out.
 */
const PASSED_ON = new Set<Errcode>([
  'M_TERMS_NOT_SIGNED',
  'M_SESSION_NOT_VALIDATED',
  'M_SESSION_EXPIRED',
  'M_NO_VALID_SESSION',
  'M_THREEPID_IN_USE',
  'M_INVALID_PARAM',
  'M_LIMIT_EXCEEDED',
]);
const REASON_CHARS_MAX = 300;

/** An identity server's refusal, as a client gets it. */
export function answeredError(server: ServerName, { status, json }: IdentityAnswer): MatrixError {
  const errcode = json === undefined ? undefined : readString(json, 'errcode');
  const reason = (json === undefined ? undefined : readString(json, 'error'))?.slice(0, REASON_CHARS_MAX);
  for (const known of PASSED_ON) {
    if (known === errcode && status >= 400 && status < 500) {
      return new MatrixError(known, reason ?? `${server} refused`, { status });
    }
  }
  if (status === 401 || status === 403) {
    return new MatrixError('M_FORBIDDEN', `The identity server ${server} refused: ${reason ?? status}`);
  }
  return unusable(server);
}

/** 502: what the identity server answered is of no use. */
export function unusable(server: ServerName): MatrixError {
  return new MatrixError('M_UNKNOWN', `The identity server ${server} gave no usable answer`, { status: 502 });
}
