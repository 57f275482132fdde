import { notFound } from '../../protocol/errors.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import { type ResolutionStep, type StateMap, splitForResolution, splitStateKey } from '../../protocol/state/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { StoredEvent } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { ReceiveDeps } from './deps.ts';
import { resolve, stateAfter, wholeState } from './states.ts';

type ExplainDeps = Pick<ReceiveDeps, 'database' | 'hotRooms' | 'reader' | 'stateTree' | 'stateKeys'>;

/**
 * How the state before an event came about, or without one the current state of the room: the states that went in, what
 * was in conflict, each candidate with the rule that decided on it, and what won. One line of text each.
 * @throws MatrixError 404
 */
export async function explainState(
  deps: ExplainDeps,
  roomId: RoomId,
  eventId: EventId | undefined,
): Promise<readonly string[]> {
  const room = await deps.hotRooms.find(roomId);
  if (room === undefined) throw notFound('The room is not known here');
  return deps.database.read(async (tx) => {
    const ends = await endsOf(tx, deps, room, eventId);
    const maps: StateMap<EventId>[] = [];
    for (const end of ends) maps.push(await wholeState(tx, deps, room, stateAfter(end)));
    const steps: ResolutionStep[] = [];
    const resolved = await resolve(tx, deps, room, maps, undefined, (step) => steps.push(step));
    const what = eventId === undefined ? 'the current state' : `the state before ${eventId}`;
    const lines = [`${what} of ${roomId} (room version ${room.rules.id}, resolution ${room.rules.stateResolution})`];
    for (const [index, end] of ends.entries()) {
      lines.push(`state ${index + 1}: after ${nameOf(end)}, ${maps[index]?.size ?? 0} entries`);
    }
    const { unconflicted, conflicted } = splitForResolution(room.rules, maps);
    const keys = new Set(conflicted.flatMap((state) => [...state.keys()]));
    lines.push(`${unconflicted.size} entries agreed, ${keys.size} in conflict`);
    const named = await namesOf(tx, deps, maps, keys, steps);
    for (const key of keys) {
      lines.push(`conflict: ${show(key)}`);
      for (const [index, map] of maps.entries()) lines.push(`  state ${index + 1}: ${nameIn(named, map.get(key))}`);
    }
    for (const { phase, eventId: id, key, verdict } of steps) {
      const outcome = verdict.allowed ? 'allowed' : `refused by rule "${verdict.rule}": ${verdict.reason}`;
      lines.push(`by ${phase}: ${show(key)} ${nameIn(named, id)} ${outcome}`);
    }
    for (const key of keys) {
      const id = resolved.get(key);
      const last = steps.findLast((step) => step.eventId === id && step.verdict.allowed);
      lines.push(`result: ${show(key)} ${nameIn(named, id)}${last === undefined ? '' : `, by ${last.phase}`}`);
    }
    return lines;
  });
}

/** The events after which the states are that go in. */
async function endsOf(
  tx: ReadTx,
  { reader }: ExplainDeps,
  room: HotRoom,
  eventId: EventId | undefined,
): Promise<readonly StoredEvent[]> {
  let ids: readonly EventId[] = room.committed.extremities.map((extremity) => extremity.eventId);
  if (eventId !== undefined) {
    const [stored] = await reader.byIds(tx, [eventId]);
    if (stored === undefined || stored.roomNid !== room.roomNid) throw notFound('The event is not known in this room');
    ids = stored.event.prevEvents;
  }
  const ends = (await reader.byIds(tx, ids)).filter((end) => end.isPlaced && end.roomNid === room.roomNid);
  if (ends.length === 0) throw notFound('Nothing of what was before is known here');
  return ends;
}

async function namesOf(
  tx: ReadTx,
  { reader }: ExplainDeps,
  maps: readonly StateMap<EventId>[],
  keys: ReadonlySet<string>,
  steps: readonly ResolutionStep[],
): Promise<ReadonlyMap<EventId, string>> {
  const ids = new Set(steps.map((step) => step.eventId));
  for (const map of maps) {
    for (const key of keys) {
      const id = map.get(key);
      if (id !== undefined) ids.add(id);
    }
  }
  return new Map((await reader.byIds(tx, [...ids])).map((stored) => [stored.event.eventId, nameOf(stored)]));
}

function nameOf({ event }: StoredEvent): string {
  return `${event.eventId} (${event.type} by ${event.sender}, depth ${event.depth}, ts ${event.originServerTs})`;
}

function nameIn(names: ReadonlyMap<EventId, string>, id: EventId | undefined): string {
  return id === undefined ? 'nothing' : (names.get(id) ?? id);
}

function show(key: string): string {
  const [type, stateKey] = splitStateKey(key);
  return `${type} "${stateKey}"`;
}
