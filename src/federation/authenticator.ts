import type { FederationAuthenticator, FederationRequester, SignedRequest } from '../http/index.ts';
import { addSignature, verifyJsonAsync } from '../protocol/crypto/index.ts';
import { MatrixError } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { Backoff } from './backoff.ts';
import type { KeyRing } from './keys/key-ring.ts';
import type { ServerPolicy } from './policy.ts';
import { parseXMatrix } from './x-matrix.ts';

export interface RequestVerifierDeps {
  readonly serverName: ServerName;
  readonly keyRing: KeyRing;
  readonly policy: ServerPolicy;
  readonly backoff: Backoff;
}

/** More headers than this are not looked at: each could cost a fetch of keys. */
const HEADERS_MAX = 3;

/** Verifies who sends a request. Spec: server-server-api/#request-authentication */
export class RequestVerifier implements FederationAuthenticator {
  readonly #deps: RequestVerifierDeps;

  constructor(deps: RequestVerifierDeps) {
    this.#deps = deps;
  }

  /** @throws MatrixError 401 without a valid signature, 403 for a server that we don't talk to */
  async authenticate({ method, uri, authorization, content }: SignedRequest): Promise<FederationRequester> {
    const { serverName, keyRing, policy, backoff } = this.#deps;
    const headers = authorization.slice(0, HEADERS_MAX).map(parseXMatrix);
    const [header] = headers;
    if (header === undefined) throw unauthorized('A signature (X-Matrix) is required');
    const { origin, destination } = header;
    if (destination !== undefined && destination !== serverName)
      throw unauthorized('The request is for another server');
    if (origin === serverName) throw unauthorized('The request claims to come from this server itself');
    policy.assertAllowed(origin);
    for (const each of headers) {
      if (each === undefined || each.origin !== origin) throw unauthorized('The signatures are of different servers');
      const publicKey = await keyRing.findForRequest(origin, each.keyId);
      if (publicKey === undefined) throw unauthorized(`The key ${each.keyId} of ${origin} is not known`);
      const signed = addSignature(
        {
          method,
          uri,
          origin,
          ...(destination === undefined ? {} : { destination }),
          ...(content === undefined ? {} : { content }),
        },
        origin,
        each.keyId,
        each.signature,
      );
      if (!(await verifyJsonAsync(signed, origin, each.keyId, publicKey))) {
        throw unauthorized(`The signature by ${each.keyId} of ${origin} is not valid`);
      }
    }
    backoff.noteAlive(origin);
    return { origin };
  }
}

const unauthorized = (message: string): MatrixError => new MatrixError('M_UNAUTHORIZED', message);
