import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { Event } from '../../protocol/event/index.ts';
import { type EventId, parseEventId, type UserId } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import type { ClientTransaction } from './pending.ts';

/** Who is shadow-banned. */
export interface ShadowBanSource {
  has(userId: UserId): boolean;
}

export const NOBODY: ShadowBanSource = { has: () => false };

const ID_BYTES = 32;
const REMEMBERED_MAX = 10_000;

/**
 * What becomes of the events of shadow-banned users: nothing, though they are told that all went well. Only leaving a room
 * works, which nobody minds.
 */
export class Shadows {
  readonly #banned: ShadowBanSource;
  /** The ids that were given out, so that a resend gets the same. */
  readonly #given = new LRUCache<string, EventId>(upTo(REMEMBERED_MAX));

  constructor(banned: ShadowBanSource) {
    this.#banned = banned;
  }

  /** Whether the user is shadow-banned. */
  has(userId: UserId): boolean {
    return this.#banned.has(userId);
  }

  /** The id of an event that never was. */
  newId(): EventId {
    const eventId = parseEventId(`$${randomBytes(ID_BYTES).toString('base64url')}`);
    if (eventId === undefined) throw new Error('32 bytes make an event id');
    return eventId;
  }

  /** The id that the sender is told, where the event is to go nowhere. */
  shadowOf(event: Event, transaction: ClientTransaction | undefined): EventId | undefined {
    if (!this.#banned.has(event.sender) || isOwnLeave(event)) return undefined;
    if (transaction === undefined) return event.eventId;
    const { userId, deviceId, scope, txnId } = transaction;
    const key = JSON.stringify([userId, deviceId, scope, txnId]);
    const given = this.#given.get(key) ?? event.eventId;
    this.#given.set(key, given);
    return given;
  }
}

function isOwnLeave({ type, stateKey, sender, content }: Event): boolean {
  return type === 'm.room.member' && stateKey === sender && readString(content, 'membership') === 'leave';
}
