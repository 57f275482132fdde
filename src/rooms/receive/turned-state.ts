import { parseUserId } from '../../protocol/ids/index.ts';
import { type StateKey, splitStateKey } from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { StateReference } from '../snapshot.ts';
import { turnedEntryOf } from '../write/consequences.ts';
import type { TurnedState } from '../write/pending.ts';
import type { ReceiveDeps } from './deps.ts';

/**
 * What the resolution of a fork brings into a room's current state, from what is different there. `own`: the key of the
 * arriving event, where it is current itself: it takes its place like any other state event.
 */
export async function turnedState(
  tx: ReadTx,
  { reader }: Pick<ReceiveDeps, 'reader'>,
  changes: ReadonlyMap<StateKey, StateReference | undefined>,
  own: StateKey | undefined,
): Promise<TurnedState> {
  const removed: StateKey[] = [];
  const nids: number[] = [];
  for (const [key, reference] of changes) {
    if (key === own) continue;
    if (reference === undefined) removed.push(key);
    else nids.push(reference.nid);
  }
  const stored = await reader.byNids(tx, nids);
  const forgottenMembers = removed.flatMap((key) => {
    const [type, stateKey] = splitStateKey(key);
    return type === 'm.room.member' ? (parseUserId(stateKey) ?? []) : [];
  });
  return {
    entries: stored.map(({ event, nid }) => turnedEntryOf(event, nid)),
    removed,
    forgottenMembers,
    keepsOwn: own !== undefined,
  };
}
