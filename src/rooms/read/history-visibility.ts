/**
 * The rules of who may see an event, as pure functions.
 * Spec: client-server-api/#room-history-visibility
 */
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import type { Membership } from '../store/index.ts';

export type HistoryVisibility = 'world_readable' | 'shared' | 'invited' | 'joined';

const VISIBILITIES: ReadonlySet<string> = new Set(['world_readable', 'shared', 'invited', 'joined']);
const MEMBERSHIPS: ReadonlySet<string> = new Set(['join', 'invite', 'knock', 'leave', 'ban']);

/** What an `m.room.history_visibility` event sets; `shared` where it is missing or not understood. */
export function historyVisibilityOf(content: JsonObject | undefined): HistoryVisibility {
  const value = content === undefined ? undefined : readString(content, 'history_visibility');
  return value !== undefined && VISIBILITIES.has(value) ? (value as HistoryVisibility) : 'shared';
}

/** What an `m.room.member` event says; `leave` where there is none or it says nothing we know. */
export function membershipOf(content: JsonObject | undefined): Membership {
  const value = content === undefined ? undefined : readString(content, 'membership');
  return value !== undefined && MEMBERSHIPS.has(value) ? (value as Membership) : 'leave';
}

/** What decides whether a user may see an event. */
export interface Sight {
  readonly visibility: HistoryVisibility;
  /** The user's membership at the event. */
  readonly membership: Membership;
  /** The user joined the room at some point after the event. */
  readonly joinedLater: boolean;
}

/** Whether a user may see an event, by the state at it. */
export function maySee({ visibility, membership, joinedLater }: Sight): boolean {
  if (visibility === 'world_readable' || membership === 'join') return true;
  if (visibility === 'shared') return joinedLater;
  return visibility === 'invited' && membership === 'invite';
}
