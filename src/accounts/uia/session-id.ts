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

const SEAL_BYTES = 12;

/**
 * Session ids that say by themselves until when they are valid and what they are for, so that a session in which nothing
 * is completed needs no row: `<expiry>.<nonce>.<mac>.<seal>`. The seal shows, to whoever doesn't know the purpose, that it is ours.
 */
export class UiaSessionIds {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  make(purpose: UiaPurpose, expiresTs: number): string {
    const head = `${expiresTs.toString(36)}.${randomBytes(12).toString('base64url')}`;
    return `${head}.${this.#mac(head, purpose).toString('base64url')}.${this.#seal(head).toString('base64url')}`;
  }

  /** When the session expires, or undefined where the id isn't ours, has expired, or was made for something else. */
  check(sessionId: string, purpose: UiaPurpose, now: number): number | undefined {
    const [expiry = '', nonce = '', mac = ''] = sessionId.split('.');
    if (!isSame(mac, this.#mac(`${expiry}.${nonce}`, purpose))) return undefined;
    return this.expiryOf(sessionId, now);
  }

  /** When the session expires, whatever it is for; undefined where the id isn't ours or has expired. */
  expiryOf(sessionId: string, now: number): number | undefined {
    const [expiry = '', nonce = '', mac, seal = '', rest] = sessionId.split('.');
    if (mac === undefined || rest !== undefined || !isSame(seal, this.#seal(`${expiry}.${nonce}`))) return undefined;
    const expiresTs = Number.parseInt(expiry, 36);
    return expiresTs > now ? expiresTs : undefined;
  }

  #seal(head: string): Buffer {
    return createHmac('sha256', this.#key).update(`seal\0${head}`).digest().subarray(0, SEAL_BYTES);
  }

  #mac(head: string, { operation, userId, binding }: UiaPurpose): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([head, operation, userId ?? null, binding]))
      .digest();
  }
}

function isSame(given: string, wanted: Buffer): boolean {
  const bytes = Buffer.from(given, 'base64url');
  return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
}
