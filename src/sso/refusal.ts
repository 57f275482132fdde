import type { RefusalReason } from './texts.ts';

/** A log-in that ends early. The page says why. */
export class SsoRefusal extends Error {
  override readonly name = 'SsoRefusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason) {
    super(reason);
    this.reason = reason;
  }
}
