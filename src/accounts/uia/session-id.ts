import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { UserId } from '../../protocol/ids/index.ts';

/** What a session was started for; the same again must be asked in each of its steps. */
export interface UiaPurpose {
  /** The endpoint's operationId. */
  readonly operation: string;
  /** Whoever is logged in. */
  readonly userId: UserId | undefined;
  /** What of the request must not change between the steps. */
  readonly binding: string;
}

/**
 * Session ids that say by themselves until when they are valid and what they are for, so that a session in which nothing
 * is completed needs no row: `<expiry>.<nonce>.<mac>`.
 */
export class UiaSessionIds {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  make(purpose: UiaPurpose, expiresTs: number): string {
    const head = `${expiresTs.toString(36)}.${randomBytes(12).toString('base64url')}`;
    return `${head}.${this.#mac(head, purpose).toString('base64url')}`;
  }

  /** When the session expires, or undefined where the id isn't ours, has expired, or was made for something else. */
  check(sessionId: string, purpose: UiaPurpose, now: number): number | undefined {
    const [expiry, nonce, mac, rest] = sessionId.split('.');
    if (expiry === undefined || nonce === undefined || mac === undefined || rest !== undefined) return undefined;
    const given = Buffer.from(mac, 'base64url');
    const wanted = this.#mac(`${expiry}.${nonce}`, purpose);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
    const expiresTs = Number.parseInt(expiry, 36);
    return expiresTs > now ? expiresTs : undefined;
  }

  #mac(head: string, { operation, userId, binding }: UiaPurpose): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([head, operation, userId ?? null, binding]))
      .digest();
  }
}
