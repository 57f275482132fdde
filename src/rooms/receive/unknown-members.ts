import type { Event } from '../../protocol/event/index.ts';
import { type StateKey, stateKeyOf } from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { StateReference } from '../snapshot.ts';
import type { StateAt } from '../write/pending.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { entryOf } from './states.ts';

/**
 * A state of a room that lacks members (MSC3902), with those members whom an event names as its auth events: until the whole
 * state is there, nothing better is known of them. The same state for rooms that are whole.
 */
export async function withNamedMembers(
  tx: ReadTx,
  deps: Pick<ReceiveDeps, 'reader' | 'stateTree' | 'stateKeys' | 'partial'>,
  { roomNid }: Pick<RoomFacts, 'roomNid'>,
  event: Event,
  state: StateAt,
): Promise<StateAt> {
  if (deps.partial.find(roomNid) === undefined) return state;
  const added = new Map<StateKey, StateReference>();
  for (const { event: auth, nid, roomNid: of, isRejected } of await deps.reader.byIds(tx, event.authEvents)) {
    if (auth.type !== 'm.room.member' || auth.stateKey === undefined || of !== roomNid || isRejected) continue;
    const key = stateKeyOf(auth.type, auth.stateKey);
    if ((await entryOf(tx, deps, state, key)) === undefined) added.set(key, { eventId: auth.eventId, nid });
  }
  return added.size === 0 ? state : { root: state.root, changes: new Map([...state.changes, ...added]) };
}
