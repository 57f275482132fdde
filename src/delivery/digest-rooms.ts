import type { DigestLine, DigestRoom } from '../email/index.ts';
import { isJsonObject, type JsonObject, readArray, readObject, readString } from '../protocol/json/index.ts';
import type { Reading, StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { MissedRoom } from './missed-messages.ts';

const LINES_MAX = 10;

/** What a mail tells of rooms. */
export async function digestRooms(
  tx: ReadTx,
  states: Reading['states'],
  missed: readonly MissedRoom[],
): Promise<readonly DigestRoom[]> {
  const rooms: DigestRoom[] = [];
  for (const { events, isInvite } of missed) {
    const last = events.at(-1);
    if (last === undefined) continue;
    const contentOf = async (type: string, stateKey = ''): Promise<JsonObject> => {
      const found = await states.event(tx, last.stateBefore, type, stateKey);
      return found?.event.content ?? (isInvite ? shownContent(last, type, stateKey) : undefined) ?? {};
    };
    const nameOf = async (userId: string) => {
      return readString(await contentOf('m.room.member', userId), 'displayname') ?? userId;
    };
    const lines: DigestLine[] = [];
    for (const stored of isInvite ? [] : events.slice(-LINES_MAX)) {
      lines.push({ sender: await nameOf(stored.event.sender), ...said(stored) });
    }
    const sender = await nameOf(last.event.sender);
    const roomName = readString(await contentOf('m.room.name'), 'name');
    const alias = readString(await contentOf('m.room.canonical_alias'), 'alias');
    rooms.push({
      // A room without a name is mostly a conversation with one person.
      name: roomName || alias || sender,
      lines,
      count: events.length,
      inviter: isInvite ? sender : undefined,
    });
  }
  return rooms;
}

/** What a message says, as far as a mail can show it. */
function said({ event }: StoredEvent): Pick<DigestLine, 'kind' | 'text'> {
  if (event.type === 'm.room.encrypted') return { kind: 'encrypted', text: '' };
  const content = readObject(event.content, 'm.new_content') ?? event.content;
  const text = event.type === 'm.room.message' ? readString(content, 'body') : undefined;
  return text === undefined ? { kind: 'other', text: '' } : { kind: 'text', text };
}

/** State of a room that we aren't in, as the invite shows it. */
function shownContent({ event }: StoredEvent, type: string, stateKey: string): JsonObject | undefined {
  const unsigned = readObject(event.pdu, 'unsigned') ?? {};
  for (const shown of readArray(unsigned, 'invite_room_state') ?? []) {
    if (!isJsonObject(shown) || shown.type !== type || shown.state_key !== stateKey) continue;
    return readObject(shown, 'content');
  }
  return undefined;
}
