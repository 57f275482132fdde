import type { Clock } from '../../clock.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/index.ts';
import type { EventReader, StateKeys, StoredEvent } from '../store/index.ts';
import type { StateTree } from '../store/state-tree.ts';
import { Presenter } from './present.ts';
import type { RemotePreviews } from './space-hierarchy.ts';
import { StateReader } from './state-reader.ts';

/** Whom a user ignores; `accounts` knows it. */
export interface IgnoredUsers {
  ignoredUsers(userId: UserId): Promise<ReadonlySet<UserId>>;
}

/** Who left with the wish to be forgotten. */
export interface ErasedUsers {
  isErased(userId: UserId): boolean;
}

/** What reading rooms takes. The caches in it belong to the process: one of each. */
export interface ReadingDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly events: EventReader;
  readonly stateTree: StateTree;
  readonly stateKeys: StateKeys;
  readonly accounts: IgnoredUsers;
  readonly erasedUsers?: ErasedUsers | undefined;
  /** Without it, rooms of which we don't know are not looked for. */
  readonly remotePreviews?: RemotePreviews | undefined;
}

/** What the readers of this folder share. */
export interface Reading {
  readonly database: Database;
  readonly events: EventReader;
  readonly states: StateReader;
  readonly presenter: Presenter;
  readonly accounts: IgnoredUsers;
  readonly remotePreviews: RemotePreviews | undefined;
}

/** Puts together what the readers share. */
export function makeReading(deps: ReadingDeps): Reading {
  const { database, clock, events, stateTree, stateKeys, accounts, remotePreviews, erasedUsers } = deps;
  const states = new StateReader({ clock, events, tree: stateTree, keys: stateKeys });
  const presenter = new Presenter({ states, clock, erasedUsers });
  return { database, events, states, presenter, accounts, remotePreviews };
}

/** `[a,b]` from texts that are JSON already. */
export function jsonArray(items: readonly string[]): string {
  return `[${items.join(',')}]`;
}

/** The distinct senders of the events, in the order of their first one. */
export function sendersOf(events: readonly StoredEvent[]): readonly UserId[] {
  return [...new Set(events.map((stored) => stored.event.sender))];
}
