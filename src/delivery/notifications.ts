import { invalidParam } from '../protocol/errors.ts';
import type { RoomId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonValue } from '../protocol/json/index.ts';
import { type Reading, RoomSight, type Viewer } from '../rooms/index.ts';
import { type NotificationRow, notificationsOf, readPositions } from './store.ts';

/** What `/notifications` asks for. */
export interface NotificationsRequest {
  readonly viewer: Viewer;
  readonly from: string | undefined;
  readonly limit: number;
  readonly onlyHighlights: boolean;
}

/** What notified a user, the newest first, as JSON text. Spec: client-server-api/#get_matrixclientv3notifications */
export async function notificationsJson(reading: Reading, request: NotificationsRequest): Promise<string> {
  const { database, events, states, presenter, accounts } = reading;
  const { viewer, limit, onlyHighlights } = request;
  const before = positionOf(request.from);
  const { userId } = viewer;
  const statement = await database.read(async (tx) =>
    notificationsOf(tx, { userId, before, limit: limit + 1, onlyHighlights }),
  );
  const found = (await database.readAside(statement.sql, statement.parameters)) as readonly NotificationRow[]; // the row's type is the builder's word
  const rows = found.slice(0, limit);
  const ignored = await accounts.ignoredUsers(userId);
  const items = await database.read(async (tx) => {
    const read = await readPositions(tx, userId, [...new Set(rows.map((row) => row.room_nid))]);
    const sights = new Map<number, RoomSight>();
    const texts: string[] = [];
    for (const row of rows) {
      const [stored] = await events.byNids(tx, [row.nid]);
      if (stored === undefined || ignored.has(stored.event.sender)) continue;
      const sight = sights.get(row.room_nid) ?? new RoomSight(states, userId, { kind: 'joined' });
      sights.set(row.room_nid, sight);
      if ((await sight.visible(tx, [stored])).length === 0) continue;
      const [event] = await presenter.present(tx, [stored], viewer, { sight, format: 'inRoom' });
      const roomId: RoomId = stored.event.roomId;
      texts.push(
        `{"actions":${JSON.stringify(actionsOf(row))},"event":${event},"profile_tag":"","read":${isRead(read, row)},` +
          `"room_id":${JSON.stringify(roomId)},"ts":${stored.event.originServerTs}}`,
      );
    }
    return texts;
  });
  const next = found.length > limit ? `,"next_token":"n${rows.at(-1)?.position}"` : '';
  return `{"notifications":[${items.join(',')}]${next}}`;
}

function positionOf(token: string | undefined): number {
  if (token === undefined) return Number.MAX_SAFE_INTEGER;
  const position = Number(/^n(\d{1,16})$/.exec(token)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(position)) throw invalidParam('from is not a token of this endpoint');
  return position;
}

/** The actions of the rule that matched: from its tweaks, or what the default rules say. */
function actionsOf({ actions, unread, highlight }: NotificationRow): readonly JsonValue[] {
  const tweaks: unknown = actions === null ? undefined : JSON.parse(actions);
  const list: JsonValue[] = ['notify'];
  if (isJsonObject(tweaks)) {
    for (const [name, value] of Object.entries(tweaks)) list.push({ set_tweak: name, value });
  } else if (highlight === 1 || (highlight === null && unread === 2)) {
    list.push({ set_tweak: 'highlight', value: true });
  }
  return list;
}

/** Whether a user has read an event, by `readPositions`. */
export function isRead(
  read: ReadonlyMap<string, number>,
  { room_nid, position, thread_root }: Pick<NotificationRow, 'room_nid' | 'position' | 'thread_root'>,
): boolean {
  const upTo = (thread: string) => read.get(`${room_nid}\0${thread}`) ?? 0;
  return position <= Math.max(upTo(''), upTo(thread_root ?? 'main'));
}
