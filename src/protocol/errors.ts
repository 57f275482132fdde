/**
 * The errors of the Matrix APIs: a refused request is a `MatrixError`, thrown by its maker and rendered once, by the
 * HTTP pipeline.
 * Spec: client-server-api/#standard-error-response
 */

/** Every errcode that we answer with, and the HTTP status that goes with it where the spec names no other. */
export const ERROR_STATUS = {
  M_FORBIDDEN: 403,
  M_UNKNOWN_TOKEN: 401,
  M_MISSING_TOKEN: 401,
  M_USER_LOCKED: 401,
  M_USER_SUSPENDED: 403,
  M_BAD_JSON: 400,
  M_NOT_JSON: 400,
  M_NOT_FOUND: 404,
  M_LIMIT_EXCEEDED: 429,
  M_UNRECOGNIZED: 404,
  M_UNKNOWN: 400,
  M_UNAUTHORIZED: 401,
  M_USER_DEACTIVATED: 403,
  M_USER_IN_USE: 400,
  M_USER_LIMIT_EXCEEDED: 400,
  M_INVALID_USERNAME: 400,
  M_ROOM_IN_USE: 409,
  M_INVALID_ROOM_STATE: 400,
  M_THREEPID_IN_USE: 400,
  M_THREEPID_NOT_FOUND: 400,
  M_THREEPID_AUTH_FAILED: 400,
  M_THREEPID_DENIED: 403,
  M_THREEPID_MEDIUM_NOT_SUPPORTED: 400,
  M_SERVER_NOT_TRUSTED: 400,
  M_TERMS_NOT_SIGNED: 403,
  M_SESSION_NOT_VALIDATED: 400,
  M_SESSION_EXPIRED: 400,
  M_NO_VALID_SESSION: 404,
  M_UNSUPPORTED_ROOM_VERSION: 400,
  M_INCOMPATIBLE_ROOM_VERSION: 400,
  M_BAD_STATE: 400,
  M_GUEST_ACCESS_FORBIDDEN: 403,
  M_CAPTCHA_NEEDED: 400,
  M_CAPTCHA_INVALID: 400,
  M_MISSING_PARAM: 400,
  M_INVALID_PARAM: 400,
  M_TOO_LARGE: 413,
  M_PROFILE_TOO_LARGE: 400,
  M_KEY_TOO_LARGE: 400,
  M_EXCLUSIVE: 400,
  M_RESOURCE_LIMIT_EXCEEDED: 403,
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: 403,
  M_WEAK_PASSWORD: 400,
  M_INVITE_BLOCKED: 403,
  M_DUPLICATE_ANNOTATION: 400,
  M_MAX_DELAY_EXCEEDED: 400,
  M_UNABLE_TO_AUTHORISE_JOIN: 400,
  M_UNABLE_TO_GRANT_JOIN: 400,
  M_CONNECTION_FAILED: 504,
  M_CONNECTION_TIMEOUT: 504,
  M_TOKEN_INCORRECT: 400,
  M_INVALID_SIGNATURE: 400,
  M_WRONG_ROOM_KEYS_VERSION: 403,
  M_CROSS_SIGNING_REQUIRED: 400,
  M_UNKNOWN_DEVICE: 400,
  M_UNKNOWN_POS: 400,
  M_NOT_YET_UPLOADED: 504,
  M_CANNOT_OVERWRITE_MEDIA: 409,
  M_BAD_ALIAS: 400,
  M_SERVER_ERROR: 500,
} as const satisfies Record<string, number>;

/** An error code of the specification. */
export type Errcode = keyof typeof ERROR_STATUS;

/** What a `MatrixError` may carry beside its code and message. */
export interface ErrorExtras {
  /** The HTTP status, where it isn't the errcode's usual one. */
  readonly status?: number;
  /** Further top-level fields of the response body, such as `soft_logout`. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request refused, with what the client is told of it. Its message goes to the client: never put a secret into it. */
export class MatrixError extends Error {
  readonly errcode: Errcode;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(errcode: Errcode, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.name = 'MatrixError';
    this.errcode = errcode;
    this.status = extras.status ?? ERROR_STATUS[errcode];
    this.fields = extras.fields ?? {};
    this.headers = extras.headers ?? {};
  }

  /** The response body of the standard error response. */
  toBody(): Readonly<Record<string, unknown>> {
    return { errcode: this.errcode, error: this.message, ...this.fields };
  }
}

/** 403 `M_FORBIDDEN`. */
export const forbidden = (message: string): MatrixError => new MatrixError('M_FORBIDDEN', message);
/** 404 `M_NOT_FOUND`. */
export const notFound = (message: string): MatrixError => new MatrixError('M_NOT_FOUND', message);
/** 400 `M_BAD_JSON`: well-formed JSON with wrong keys or types. */
export const badJson = (message: string): MatrixError => new MatrixError('M_BAD_JSON', message);
/** 400 `M_NOT_JSON`: the body isn't JSON. */
export const notJson = (message: string): MatrixError => new MatrixError('M_NOT_JSON', message);
/** 400 `M_MISSING_PARAM`. */
export const missingParam = (message: string): MatrixError => new MatrixError('M_MISSING_PARAM', message);
/** 400 `M_INVALID_PARAM`. */
export const invalidParam = (message: string): MatrixError => new MatrixError('M_INVALID_PARAM', message);
/** 401 `M_MISSING_TOKEN`. */
export const missingToken = (): MatrixError => new MatrixError('M_MISSING_TOKEN', 'An access token is required');
/** 401 `M_UNKNOWN_TOKEN`. `softLogout`: the device is still there, the client may refresh or log in again. */
export const unknownToken = (message: string, { softLogout = false } = {}): MatrixError =>
  new MatrixError('M_UNKNOWN_TOKEN', message, { fields: { soft_logout: softLogout } });
/** 413 `M_TOO_LARGE`. */
export const tooLarge = (message: string): MatrixError => new MatrixError('M_TOO_LARGE', message);
/** 429 `M_LIMIT_EXCEEDED` with `Retry-After` in seconds and `retry_after_ms`. */
export const limitExceeded = (retryAfterMs: number): MatrixError =>
  new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests', {
    fields: { retry_after_ms: Math.ceil(retryAfterMs) },
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  });
/** 404 `M_UNRECOGNIZED`: no such endpoint. */
export const unrecognized = (): MatrixError => new MatrixError('M_UNRECOGNIZED', 'Unrecognized request');
/** 405 `M_UNRECOGNIZED`: the endpoint exists, but not with this method. */
export const methodNotAllowed = (allowed: readonly string[]): MatrixError =>
  new MatrixError('M_UNRECOGNIZED', 'Unrecognized request: wrong method', {
    status: 405,
    headers: { allow: allowed.join(', ') },
  });
