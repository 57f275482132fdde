import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Pusher, Pushers } from './pushers.ts';

/** Where the links in mails about missed messages lead. */
export const UNSUBSCRIBE_PATH = '/_inglenook/client/v1/email/unsubscribe';

/** Links that end mails about missed messages without a log-in: whoever holds one may only do that. */
export class UnsubscribeLinks {
  readonly #secret: string;
  readonly #publicUrl: string;
  readonly #pushers: Pushers;

  constructor(secret: string, publicUrl: string, pushers: Pushers) {
    this.#secret = secret;
    this.#publicUrl = publicUrl;
    this.#pushers = pushers;
  }

  urlOf(pusher: Pusher): string {
    const query = new URLSearchParams({ pusher: String(pusher.id), token: this.#tokenOf(pusher) });
    return `${this.#publicUrl}${UNSUBSCRIBE_PATH}?${query}`;
  }

  /** Deletes the pusher of a link; false where the link isn't valid, or no longer. */
  async follow(pusherId: number, token: string): Promise<boolean> {
    const pusher = this.#pushers.find(pusherId);
    if (pusher === undefined) return false;
    const wanted = Buffer.from(this.#tokenOf(pusher));
    const given = Buffer.from(token);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false;
    await this.#pushers.delete(pusher.userId, pusher.appId, pusher.pushkey);
    return true;
  }

  /** The number of a pusher alone may be used again. */
  #tokenOf({ id, userId, pushkey, kind }: Pusher): string {
    return createHmac('sha256', this.#secret).update([kind, id, userId, pushkey].join('\0')).digest('base64url');
  }
}
