/** One cookie for each started log-in: the browser that ends it must be the one that began it. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { hashSecret } from '../accounts/index.ts';

/** How the cookies of a server look. */
export class LoginCookies {
  readonly #isSecure: boolean;

  /** `isSecure`: browsers reach the server by TLS. Then no other host of the domain can set such a cookie either (`__Host-`). */
  constructor(isSecure: boolean) {
    this.#isSecure = isSecure;
  }

  /** The value of `Set-Cookie`. `Lax`: it must come along when the provider sends the browser back. */
  set(loginId: string, secret: string, maxAgeMs: number): string {
    return `${this.#name(loginId)}=${secret}; Path=/; Max-Age=${Math.ceil(maxAgeMs / 1000)}; ${this.#flags()}`;
  }

  clear(loginId: string): string {
    return `${this.#name(loginId)}=; Path=/; Max-Age=0; ${this.#flags()}`;
  }

  /** The secret that the browser holds for this log-in, of the request's `Cookie` header. */
  read(header: string | undefined, loginId: string): string | undefined {
    const start = `${this.#name(loginId)}=`;
    const pair = header?.split(';').find((one) => one.trimStart().startsWith(start));
    return pair?.trim().slice(start.length);
  }

  #name(loginId: string): string {
    return `${this.#isSecure ? '__Host-' : ''}inglenook-sso-${loginId.slice(0, 16)}`;
  }

  #flags(): string {
    return `HttpOnly; SameSite=Lax${this.#isSecure ? '; Secure' : ''}`;
  }
}

/** Whether a secret is the one whose hash is kept. Takes the same time for every wrong one. */
export function matchesHash(secret: string | undefined, hash: string): boolean {
  return secret !== undefined && isSame(hashSecret(secret), hash);
}

/** What a form carries to show that it is ours: made of the cookie, which other pages can't read. */
export function formToken(secret: string): string {
  return createHash('sha256').update(`form\0${secret}`).digest('base64url');
}

export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
