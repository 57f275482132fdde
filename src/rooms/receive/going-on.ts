/** What becomes of a room with an accepted event that doesn't simply follow it. */
import type { Event } from '../../protocol/event/index.ts';
import { stateKeyOf } from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { isNamed } from '../store/graph-rows.ts';
import type { StoredEvent } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { Placement, StateAt } from '../write/pending.ts';
import { followedBy } from './arrival-checks.ts';
import type { ReceiveDeps } from './deps.ts';
import { currentState, differences, resolveStates, stateAfter, withEvent } from './states.ts';
import { turnedState } from './turned-state.ts';

type Deps = Pick<ReceiveDeps, 'reader' | 'stateTree' | 'stateKeys' | 'partial'>;

/** The extremities after an accepted event, and the room's state where it isn't simply that with the event on top. */
export async function goOn(
  tx: ReadTx,
  deps: Deps,
  room: HotRoom,
  event: Event,
  { before, placed }: { readonly before: StateAt; readonly placed: readonly StoredEvent[] },
): Promise<Pick<Placement, 'extremitiesAfter' | 'isInner' | 'stateAfter' | 'turned'>> {
  const followed = await followedBy(tx, deps.reader, event);
  const extremitiesAfter = room.extremities.filter(({ eventId }) => !followed.has(eventId));
  // What came before it, late, is no end of the graph.
  const isInner = extremitiesAfter.length > 0 && (await isNamed(tx, room.roomNid, event.eventId));
  const ends = { extremitiesAfter, isInner };
  const [only] = placed;
  const isMessageOnBranch =
    !isInner &&
    event.stateKey === undefined &&
    placed.length === 1 &&
    // A partial room may have learnt of the sender by it.
    deps.partial.find(room.roomNid) === undefined &&
    event.prevEvents.length === 1 &&
    room.extremities.some(({ eventId }) => eventId === only?.event.eventId);
  // The branch goes on with the state that it had: so does the room.
  if (isMessageOnBranch) return { ...ends, stateAfter: undefined, turned: undefined };
  const others = await deps.reader.byIds(
    tx,
    extremitiesAfter.map(({ eventId }) => eventId),
  );
  const states = others.map(stateAfter);
  if (!isInner) states.push(withEvent(before, event, 0));
  const resolved = await resolveStates(tx, deps, room, states, event);
  const changes = await differences(tx, deps, currentState(room), resolved);
  const own = event.stateKey === undefined ? undefined : stateKeyOf(event.type, event.stateKey);
  const keepsOwn = own !== undefined && changes.get(own)?.eventId === event.eventId;
  const isSimple = changes.size === (keepsOwn ? 1 : 0) && keepsOwn === (own !== undefined);
  if (isSimple) return { ...ends, stateAfter: undefined, turned: undefined };
  const turned = await turnedState(tx, deps, changes, keepsOwn ? own : undefined);
  return { ...ends, stateAfter: resolved, turned };
}
