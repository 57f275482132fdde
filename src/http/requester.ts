/** Who asks: what authentication gives to a route's handler, and the interfaces that those who authenticate implement. */

import type { DeviceId, ServerName, UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';

/** The user behind an access token. */
export interface Requester {
  readonly userId: UserId;
  /** Undefined for tokens that belong to no device (application services). */
  readonly deviceId: DeviceId | undefined;
  readonly isGuest: boolean;
  readonly isAdmin: boolean;
  readonly isSuspended: boolean;
  readonly isLocked: boolean;
  readonly tokenId: number;
}

/** The server behind a signed federation request. */
export interface FederationRequester {
  readonly origin: ServerName;
}

/** Where a request comes from. */
export interface Remote {
  /** The client's address, after the trusted proxies' forwarding headers. */
  readonly ip: string;
  /** Came straight from this machine: a loopback socket and no forwarding header of any kind. */
  readonly isLocal: boolean;
  readonly userAgent: string;
}

/** Whom an application service wants to act as: its `user_id` and `device_id` query parameters. */
export interface Masquerade {
  readonly userId: string;
  readonly deviceId: string | undefined;
}

/** Turns access tokens into users. `accounts` implements it; it must be cheap, since it runs for each request. */
export interface Authenticator {
  /**
   * Throws `unknownToken()` where the token isn't (or no longer) valid. Locked and suspended users are returned: the
   * pipeline refuses them where the route doesn't allow them.
   */
  authenticate(accessToken: string, remote: Remote, masquerade?: Masquerade): Promise<Requester> | Requester;
  /** Calls `listener` after each change of what a user's tokens are worth, so that requests that wait can be looked at. */
  onChanged?(listener: (userId: UserId) => void): void;
}

/** A federation request as it was signed. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they were on the wire, still percent-encoded. */
  readonly uri: string;
  /** Each `Authorization` header's value. */
  readonly authorization: readonly string[];
  /** The body; undefined where the request had none. */
  readonly content: JsonObject | undefined;
}

/** Verifies `X-Matrix` signatures. `federation` implements it. Spec: server-server-api/#request-authentication */
export interface FederationAuthenticator {
  authenticate(request: SignedRequest, remote: Remote): Promise<FederationRequester>;
}
