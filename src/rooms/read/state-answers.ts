import { notFound } from '../../protocol/errors.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import { getReadableRoom } from './access.ts';
import { jsonArray, type Reading } from './reading.ts';
import { eventInView, eventsOfView, viewedState } from './states.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/**
 * The room's state as a JSON array: the current one, or for those who left, the state in which they did.
 * Spec: client-server-api/#get_matrixclientv3roomsroomidstate
 * @throws M_FORBIDDEN
 */
export async function stateJson(
  reading: Reading,
  { roomId, viewer }: { readonly roomId: RoomId; readonly viewer: Viewer },
): Promise<string> {
  const { database, states, presenter } = reading;
  return database.read(async (tx) => {
    const readable = await getReadableRoom(tx, states, roomId, viewer.userId);
    const sight = new RoomSight(states, viewer.userId, readable.standing);
    const events = await eventsOfView(tx, states, viewedState(readable));
    return jsonArray(await presenter.present(tx, events, viewer, { sight }));
  });
}

/** What a request for one state event asks for. */
export interface StateEventRequest {
  readonly roomId: RoomId;
  readonly viewer: Viewer;
  readonly type: string;
  readonly stateKey: string;
  /** `content`: only the content; `event`: the whole event. */
  readonly format: 'content' | 'event';
}

/**
 * One state event or its content, as JSON text.
 * Spec: client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey
 * @throws M_FORBIDDEN, M_NOT_FOUND
 */
export async function stateEventJson(reading: Reading, request: StateEventRequest): Promise<string> {
  const { roomId, viewer, type, stateKey, format } = request;
  const { database, states, presenter } = reading;
  return database.read(async (tx) => {
    const readable = await getReadableRoom(tx, states, roomId, viewer.userId);
    const stored = await eventInView(tx, states, viewedState(readable), type, stateKey);
    if (stored === undefined) throw notFound('The room has no such state');
    if (format === 'content') return stored.event.contentJson;
    const sight = new RoomSight(states, viewer.userId, readable.standing);
    const [json] = await presenter.present(tx, [stored], viewer, { sight });
    if (json === undefined) throw new Error('one event in, one event out');
    return json;
  });
}
