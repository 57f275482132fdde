/** The stages of user-interactive authentication that we know. Spec: client-server-api/#authentication-types */
import type { Remote } from '../../http/route.ts';
import type { Errcode } from '../../protocol/errors.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';

/** A stage's name, such as `m.login.dummy`. */
export type StageName =
  | 'm.login.dummy'
  | 'm.login.email.identity'
  | 'm.login.password'
  | 'm.login.recaptcha'
  | 'm.login.registration_token'
  | 'm.login.sso'
  | 'm.login.terms'
  | 'm.oauth'
  | 'org.matrix.cross_signing_reset';

/** Who attempts a stage. */
export interface StageContext {
  /** What the authentication is for: the endpoint's operationId. */
  readonly operation: string;
  /** Whoever the request's access token belongs to. */
  readonly userId: UserId | undefined;
  readonly remote: Remote;
  readonly now: number;
}

/** One sort of proof. */
export interface Stage {
  /** What the client must know for it, in a session. */
  params?(sessionId: string): JsonObject;
  /** Whether the client can do it again as easily as the first time, so that it needn't be remembered. */
  readonly isRepeatable: boolean;
  /** Examines what the client sent, and returns what is worth knowing of it. Throws a `StageFailure`. */
  attempt(auth: AuthData, context: StageContext): Promise<string>;
}

export type Stages = Readonly<Record<StageName, Stage>>;

/** What a client submits under `auth`. */
export interface AuthData {
  readonly type?: string | undefined;
  readonly session?: string | undefined;
  readonly [key: string]: unknown;
}

/** An attempt that failed and may be repeated. */
export class StageFailure extends Error {
  readonly errcode: Errcode;

  constructor(errcode: Errcode, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

/** A string of what the client sent; a failure where it isn't there. */
export function requireText(auth: AuthData, key: string, errcode: Errcode = 'M_MISSING_PARAM'): string {
  const value = auth[key];
  if (typeof value !== 'string') throw new StageFailure(errcode, `Missing ${key}`);
  return value;
}
