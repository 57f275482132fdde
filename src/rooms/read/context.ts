import { MatrixError, notFound } from '../../protocol/errors.ts';
import { acceptsEverything, matchesRoomEvent, type RoomEventFilter } from '../../protocol/filter/index.ts';
import type { EventId, RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { encodeTimelineToken } from '../../streams/index.ts';
import type { StoredEvent } from '../store/index.ts';
import { getReadableRoom } from './access.ts';
import { readPage } from './pages.ts';
import { jsonArray, type Reading, sendersOf } from './reading.ts';
import { stateAfter } from './states.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/** What `/context` asks for. */
export interface ContextRequest {
  readonly roomId: RoomId;
  readonly eventId: EventId;
  readonly viewer: Viewer;
  /** How many events before and after, together. */
  readonly limit: number;
  readonly filter: RoomEventFilter | undefined;
}

/**
 * An event with what stands around it and the state at the last event, as JSON text.
 * Spec: client-server-api/#get_matrixclientv3roomsroomidcontexteventid
 * @throws M_NOT_FOUND where there is no such event for this viewer
 */
export async function contextJson(reading: Reading, request: ContextRequest): Promise<string> {
  const { viewer, limit, filter } = request;
  const { database, events, presenter } = reading;
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  return database.read(async (tx) => {
    const { stored, sight } = await getVisibleEvent(tx, reading, request.roomId, request.eventId, viewer);
    const { roomNid, position } = stored;
    const beforeMax = Math.floor(limit / 2);
    const rules = { filter, sight, ignored };
    const none = { events: [], end: undefined };
    const back = { roomNid, dir: 'b', from: position - 1, to: undefined, limit: beforeMax } as const;
    const forth = { roomNid, dir: 'f', from: position, to: undefined, limit: limit - beforeMax } as const;
    const before = beforeMax === 0 ? none : await readPage(tx, events, back, rules);
    const after = limit === 0 ? none : await readPage(tx, events, forth, rules);
    const oldest = before.events.at(-1) ?? stored;
    const newest = after.events.at(-1) ?? stored;
    const shown = [...before.events, stored, ...after.events];
    const state = await contextState(tx, reading, newest, shown, filter);
    const json = await presenter.present(tx, [...shown, ...state], viewer, { sight, aggregateBut: ignored });
    const eventAt = before.events.length;
    return (
      `{"start":"${encodeTimelineToken(before.end ?? oldest.position - 1)}",` +
      `"end":"${encodeTimelineToken(after.end ?? newest.position)}",` +
      `"events_before":${jsonArray(json.slice(0, eventAt))},"event":${json[eventAt]},` +
      `"events_after":${jsonArray(json.slice(eventAt + 1, shown.length))},"state":${jsonArray(json.slice(shown.length))}}`
    );
  });
}

/**
 * One event as JSON text.
 * Spec: client-server-api/#get_matrixclientv3roomsroomideventeventid
 * @throws M_NOT_FOUND where there is no such event for this viewer, be it for want of permission
 */
export async function eventJson(
  reading: Reading,
  request: { readonly roomId: RoomId; readonly eventId: EventId; readonly viewer: Viewer },
): Promise<string> {
  const { roomId, eventId, viewer } = request;
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  return reading.database.read(async (tx) => {
    const { stored, sight } = await getVisibleEvent(tx, reading, roomId, eventId, viewer).catch(asNotFound);
    const [json] = await reading.presenter.present(tx, [stored], viewer, { sight, aggregateBut: ignored });
    if (json === undefined) throw new Error('one event in, one event out');
    return json;
  });
}

function asNotFound(error: unknown): never {
  throw error instanceof MatrixError && error.errcode === 'M_FORBIDDEN' ? notFound('Event not found') : error;
}

/** An event of a room that the viewer may see, with their sight of the room. @throws M_NOT_FOUND, M_FORBIDDEN */
export async function getVisibleEvent(
  tx: ReadTx,
  { states, events }: Reading,
  roomId: RoomId,
  eventId: EventId,
  viewer: Viewer,
): Promise<{ readonly stored: StoredEvent; readonly sight: RoomSight }> {
  const { room, standing } = await getReadableRoom(tx, states, roomId, viewer.userId);
  const [stored] = await events.byIds(tx, [eventId]);
  const sight = new RoomSight(states, viewer.userId, standing);
  if (stored === undefined || stored.roomNid !== room.room_nid || stored.position === 0 || stored.isRefused) {
    throw notFound('Event not found');
  }
  const [visible] = await sight.visible(tx, [stored]);
  if (visible === undefined) throw notFound('Event not found');
  return { stored, sight };
}

/** The state at the last event; with lazy loading, of the member events only those of the senders. */
async function contextState(
  tx: ReadTx,
  { states }: Reading,
  newest: StoredEvent,
  shown: readonly StoredEvent[],
  filter: RoomEventFilter | undefined,
): Promise<readonly StoredEvent[]> {
  const state = await stateAfter(tx, states, newest);
  if (filter === undefined || (!filter.lazyLoadMembers && acceptsEverything(filter))) return state;
  const senders = new Set<string>(sendersOf(shown));
  return state.filter(({ event }) => {
    if (!matchesRoomEvent(filter, event)) return false;
    return !filter.lazyLoadMembers || event.type !== 'm.room.member' || senders.has(event.stateKey ?? '');
  });
}
