/** Branches of a room's graph beside its current state: messages go on along them without anything being read. */
import { type AuthState, checkAuth, selectAuthEvents } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import { splitStateKey, stateKeyOf } from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { Branch, HotRoom } from '../write/hot-room.ts';
import type { Placement } from '../write/pending.ts';
import { NO_PLACEMENT } from './arrival.ts';
import type { ReceiveDeps } from './deps.ts';
import { authStateFor } from './states.ts';

/** The place of a message that goes on at the end of a known branch; undefined where more has to be looked at. @throws StateNotLoaded */
export function placeOnBranch(room: HotRoom, event: Event): Placement | undefined {
  const [prev] = event.prevEvents;
  const branch = prev === undefined ? undefined : room.branches.get(prev);
  if (branch === undefined || event.stateKey !== undefined || event.prevEvents.length > 1) return undefined;
  if (!room.extremities.some(({ eventId }) => eventId === prev)) return undefined;
  const named = new Set(event.authEvents);
  for (const key of keysFor(event)) {
    if (!branch.auth.has(key)) return undefined;
    const entry = branch.auth.get(key);
    if (entry !== undefined && !named.delete(entry.eventId) && !isImplied(entry)) return undefined;
  }
  if (named.size > 0) return undefined;
  if (!checkAuth(event, authOf(branch)).allowed || !checkAuth(event, room.auth).allowed) return undefined;
  const extremitiesAfter = room.extremities.filter(({ eventId }) => eventId !== prev);
  return { ...NO_PLACEMENT, stateBefore: branch.before, extremitiesAfter };
}

/** A message was put at the end of a branch: it is the end now. */
export function moveBranch(room: HotRoom, event: Event): void {
  const [prev] = event.prevEvents;
  const branch = prev === undefined ? undefined : room.branches.get(prev);
  if (prev === undefined || branch === undefined) return;
  room.branches.delete(prev);
  room.branches.set(event.eventId, branch);
}

/** Notes the branch that an event, which was just written, ends. */
export async function noteBranch(
  tx: ReadTx,
  deps: Pick<ReceiveDeps, 'reader' | 'stateTree' | 'stateKeys'>,
  room: HotRoom,
  event: Event,
): Promise<void> {
  const [stored] = await deps.reader.byIds(tx, [event.eventId]);
  if (stored === undefined || event.stateKey !== undefined) return;
  const before = { root: stored.stateBefore, changes: new Map() };
  const state = await authStateFor(tx, deps, before, event);
  const [prev] = event.prevEvents;
  const known = prev === undefined ? undefined : room.branches.get(prev);
  const auth = new Map(known?.before.root === before.root ? known.auth : []);
  for (const key of keysFor(event)) auth.set(key, state.get(...splitStateKey(key)));
  for (const id of room.branches.keys())
    if (!room.extremities.some(({ eventId }) => eventId === id)) room.branches.delete(id);
  room.branches.set(event.eventId, { before, auth });
}

function authOf({ auth }: Branch): AuthState {
  return { get: (type, stateKey) => auth.get(stateKeyOf(type, stateKey)) };
}

function keysFor(event: Event): readonly string[] {
  const selected = selectAuthEvents(event, event.rules).map(([type, stateKey]) => stateKeyOf(type, stateKey));
  const create = stateKeyOf('m.room.create', '');
  return selected.includes(create) ? selected : [...selected, create];
}

/** Room version 12 names the create event by the room's id. */
function isImplied(entry: Event): boolean {
  return entry.isCreate && entry.rules.createEventIsRoomId;
}
