import type { ReadTx } from '../../storage/index.ts';
import type { StoredEvent } from '../store/index.ts';
import type { ReadableRoom } from './access.ts';
import type { StateReader } from './state-reader.ts';

/**
 * A state that a reader looks at: that of a root, with one event on top of it where the state after an event is meant.
 */
export interface StateView {
  readonly root: number;
  readonly top: StoredEvent | undefined;
}

/** The state that a viewer of the room sees as its state: the current one, or that in which they left. */
export function viewedState({ room, standing }: ReadableRoom): StateView {
  return standing.kind === 'left' ? viewAfter(standing.departure) : { root: room.state_root, top: undefined };
}

/** The state after an event. */
export function viewAfter(stored: StoredEvent): StateView {
  return { root: stored.stateBefore, top: stored.event.isState ? stored : undefined };
}

/** All events of the view, in the order in which they came. */
export async function eventsOfView(
  tx: ReadTx,
  states: StateReader,
  { root, top }: StateView,
): Promise<readonly StoredEvent[]> {
  const events = await states.allEvents(tx, root);
  if (top === undefined) return inOrder(events);
  const { type, stateKey } = top.event;
  return inOrder([...events.filter(({ event }) => event.type !== type || event.stateKey !== stateKey), top]);
}

/** All events of the state after `stored`, in the order in which they came. */
export async function stateAfter(
  tx: ReadTx,
  states: StateReader,
  stored: StoredEvent,
): Promise<readonly StoredEvent[]> {
  return eventsOfView(tx, states, viewAfter(stored));
}

/** The event under (type, state key) in the view, or undefined. */
export async function eventInView(
  tx: ReadTx,
  states: StateReader,
  { root, top }: StateView,
  type: string,
  stateKey: string,
): Promise<StoredEvent | undefined> {
  if (top !== undefined && top.event.type === type && top.event.stateKey === stateKey) return top;
  return states.event(tx, root, type, stateKey);
}

function inOrder(events: readonly StoredEvent[]): readonly StoredEvent[] {
  return [...events].sort((a, b) => a.position - b.position);
}
