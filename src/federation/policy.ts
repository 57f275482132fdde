import { forbidden } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';

/** Which servers we talk to. Names count without regard to case. */
export class ServerPolicy {
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #denied: ReadonlySet<string>;

  constructor({
    allowed,
    denied,
  }: { readonly allowed: readonly string[] | undefined; readonly denied: readonly string[] }) {
    this.#allowed = allowed === undefined ? undefined : new Set(allowed.map((name) => name.toLowerCase()));
    this.#denied = new Set(denied.map((name) => name.toLowerCase()));
  }

  isAllowed(server: ServerName): boolean {
    const name = server.toLowerCase();
    return !this.#denied.has(name) && (this.#allowed === undefined || this.#allowed.has(name));
  }

  /** @throws MatrixError 403 */
  assertAllowed(server: ServerName): void {
    if (!this.isAllowed(server)) throw forbidden(`This server does not talk to ${server}`);
  }
}
