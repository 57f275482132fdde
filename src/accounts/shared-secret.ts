import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { upTo } from '../lru.ts';
import { forbidden, invalidParam } from '../protocol/errors.ts';
import { newSecret } from './secrets.ts';

/** What the code of a request is computed over. */
export interface SharedSecretRequest {
  readonly nonce: string;
  readonly username: string;
  readonly password: string;
  readonly isAdmin: boolean;
  readonly userType: string | undefined;
  /** HMAC-SHA1 in hexadecimal. */
  readonly mac: string;
}

const NONCE_LIFETIME_MS = 60_000;
const NONCES_MAX = 10_000;

/** Checks that somebody who registers accounts knows the server's secret. The protocol is that of Synapse's admin API. */
export class SharedSecret {
  readonly #secret: string;
  readonly #clock: Clock;
  /** Nonces with the time at which they were given out. */
  readonly #nonces = new LRUCache<string, number>(upTo(NONCES_MAX));

  constructor(secret: string, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** A nonce, good for one request within a minute. */
  newNonce(): string {
    const nonce = newSecret();
    this.#nonces.set(nonce, this.#clock.now());
    return nonce;
  }

  /** Uses up the nonce. Throws where it isn't one of ours, or the code is not computed with the secret. */
  check(request: SharedSecretRequest): void {
    const givenTs = this.#nonces.get(request.nonce);
    this.#nonces.delete(request.nonce);
    if (givenTs === undefined || this.#clock.now() - givenTs > NONCE_LIFETIME_MS) {
      throw invalidParam('The nonce is unknown or has expired');
    }
    const { nonce, username, password, isAdmin, userType } = request;
    if ([username, password, userType ?? ''].some((part) => part.includes('\0'))) {
      throw invalidParam('User name and password must not contain NUL');
    }
    const parts = [nonce, username, password, isAdmin ? 'admin' : 'notadmin'];
    if (userType !== undefined) parts.push(userType);
    const wanted = createHmac('sha1', this.#secret).update(parts.join('\0')).digest();
    const given = Buffer.from(request.mac, 'hex');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw forbidden('The HMAC is wrong');
  }
}
