import { matchesEvent, matchesRoom } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { AccountDataEvent } from './account-data.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { wantsEphemeral } from './room-json.ts';
import { joinedRoom, leftRoom } from './room-sections.ts';
import type { Skeleton } from './skeleton.ts';

/** The `rooms` of an answer; empty text where there are none. */
export interface RoomsSection {
  readonly json: string;
  /** The members that a lazily loading client learns by it. */
  readonly told: readonly (readonly [RoomId, UserId])[];
}

/** Reads all rooms of the skeleton. What can be read for all of them at once is. */
export async function roomsSection(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  skeleton: Skeleton,
  accountData: ReadonlyMap<string, readonly AccountDataEvent[]>,
): Promise<RoomsSection> {
  const { viewer } = context;
  const joined = withAccountData(context, skeleton.join, accountData);
  const nids = joined.map((room) => room.roomNid);
  const counts = await rooms.unreadCounts(tx, {
    userId: viewer.userId,
    roomNids: nids,
    ignored: context.ignored,
    upTo: context.to.events,
    receiptsUpTo: context.to.receipts,
  });
  const receipts = await receiptsOf(tx, rooms, context, nids);
  const told: (readonly [RoomId, UserId])[] = [];
  const join: string[] = [];
  for (const room of joined) {
    const section = await joinedRoom(tx, rooms, context, room, {
      counts: counts.get(room.roomNid),
      accountData: roomAccountData(context, room, accountData),
      ephemeral: ephemeral(rooms, context, room, receipts.get(room.roomNid)),
    });
    if (section === undefined) continue;
    join.push(`${JSON.stringify(room.roomId)}:${section.json}`);
    for (const userId of section.told) told.push([room.roomId, userId]);
  }
  const leave: string[] = [];
  for (const room of skeleton.leave) {
    const section = await leftRoom(tx, rooms, context, room);
    leave.push(`${JSON.stringify(room.roomId)}:${section.json}`);
  }
  const invite = await stripped(tx, rooms, context, skeleton.invite, 'invite_state');
  const knock = await stripped(tx, rooms, context, skeleton.knock, 'knock_state');
  const sections = Object.entries({ join, invite, knock, leave }).filter(([, entries]) => entries.length > 0);
  if (sections.length === 0) return { json: '', told };
  return { json: `{${sections.map(([name, entries]) => `"${name}":{${entries.join(',')}}`).join(',')}}`, told };
}

/** The rooms of the skeleton and those where nothing but account data changed. */
function withAccountData(
  { since, rooms, query }: SyncContext,
  listed: readonly UserRoom[],
  changed: ReadonlyMap<string, readonly AccountDataEvent[]>,
): readonly UserRoom[] {
  if (since === undefined || changed.size === 0) return listed;
  const ids = new Set(listed.map((room) => room.roomId));
  const more = rooms.filter(
    (room) => changed.has(room.roomId) && !ids.has(room.roomId) && matchesRoom(query.filter.room, room.roomId),
  );
  return [...listed, ...more];
}

function roomAccountData(
  { query }: SyncContext,
  room: UserRoom,
  accountData: ReadonlyMap<string, readonly AccountDataEvent[]>,
): readonly string[] {
  const filter = query.filter.room.accountData;
  if (!matchesRoom(filter, room.roomId)) return [];
  const events = accountData.get(room.roomId) ?? [];
  return events.filter(({ type }) => matchesEvent(filter, type, undefined)).map((event) => event.json);
}

async function receiptsOf(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, since, to, query }: SyncContext,
  nids: readonly number[],
): Promise<ReadonlyMap<number, object>> {
  const after = since === undefined || query.fullState ? 0 : since.receipts;
  if (after >= to.receipts) return new Map();
  return rooms.receipts(tx, viewer.userId, { roomNids: nids, after, upTo: to.receipts });
}

function ephemeral(
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  receipts: object | undefined,
): readonly string[] {
  const events: string[] = [];
  if (receipts !== undefined && wantsEphemeral(context, room, 'm.receipt')) {
    events.push(`{"type":"m.receipt","content":${JSON.stringify(receipts)}}`);
  }
  if (hasTypingNews(context, room) && wantsEphemeral(context, room, 'm.typing')) {
    const typing = rooms.typingIn(room.roomId).filter((userId) => !context.ignored.has(userId));
    // Nobody typing is news only to those who were told that somebody was.
    if (typing.length > 0 || context.since !== undefined) {
      events.push(`{"type":"m.typing","content":${JSON.stringify({ user_ids: typing })}}`);
    }
  }
  return events;
}

function hasTypingNews({ since, positions }: SyncContext, room: UserRoom): boolean {
  return since === undefined || positions.last('typing', room.roomId) > since.typing;
}

/** Rooms that the user is invited to or knocks at: the state that goes with it. */
async function stripped(
  tx: ReadTx,
  rooms: SyncRooms,
  { ignored }: SyncContext,
  listed: readonly UserRoom[],
  key: 'invite_state' | 'knock_state',
): Promise<readonly string[]> {
  const members = await rooms.eventsByNids(
    tx,
    listed.map((room) => room.eventNid),
  );
  const entries: string[] = [];
  for (const room of listed) {
    const member = members.find((event) => event.nid === room.eventNid);
    if (member === undefined || (key === 'invite_state' && ignored.has(member.event.sender))) continue;
    const state = await rooms.strippedState(tx, member);
    entries.push(`${JSON.stringify(room.roomId)}:{"${key}":{"events":[${state.join(',')}]}}`);
  }
  return entries;
}
