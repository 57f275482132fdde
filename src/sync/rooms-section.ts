import { matchesEvent, matchesRoom } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { ReadTx } from '../storage/index.ts';
import { type AccountDataEvent, accountDataBetween, type SyncAccounts } from './account-data.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { wantsEphemeral } from './room-json.ts';
import { isGivenWhole, joinedRoom, leftRoom } from './room-sections.ts';
import type { Skeleton } from './skeleton.ts';
import { type KnownPart, knownPart } from './stays.ts';
import { type StickyNews, stickyNews } from './sticky.ts';

/** Account data by room. */
type RoomsData = ReadonlyMap<string, readonly AccountDataEvent[]>;

/** The `rooms` of an answer; empty text where there are none. */
export interface RoomsSection {
  readonly json: string;
  /** The members that a lazily loading client learns by it. */
  readonly told: readonly (readonly [RoomId, UserId])[];
  /** How far the client has the sticky events then. */
  readonly stickyUpTo: number;
}

const NOBODY_TYPES = { position: 0, userIds: [] } as const;

/** Reads all rooms of the skeleton. What can be read for all of them at once is. */
export async function roomsSection(
  tx: ReadTx,
  rooms: SyncRooms,
  accounts: SyncAccounts,
  context: SyncContext,
  skeleton: Skeleton,
  changedData: RoomsData,
): Promise<RoomsSection> {
  const { viewer } = context;
  const listed = withAccountData(context, skeleton.join, changedData);
  const known = new Map<RoomId, KnownPart>();
  for (const room of [...listed, ...skeleton.leave]) {
    known.set(room.roomId, await knownPart(tx, rooms, context, room));
  }
  const partOf = (room: UserRoom) => known.get(room.roomId) ?? { position: undefined, hasOld: false };
  const isNew = (room: UserRoom) => context.since !== undefined && partOf(room).position === undefined;
  const newRooms = listed.filter(isNew);
  const sticky = await stickyNews(tx, rooms, context, newRooms);
  const joined = withSticky(context, listed, sticky);
  // None of these is new: the skeleton has all that are.
  for (const room of joined.slice(listed.length)) known.set(room.roomId, await knownPart(tx, rooms, context, room));
  const accountData = await withDataOfNewRooms(tx, accounts, context, newRooms, changedData);
  const counts = await rooms.unreadCounts(tx, {
    userId: viewer.userId,
    roomNids: joined.map((room) => room.roomNid),
    ignored: context.ignored,
    upTo: context.to.events,
    receiptsUpTo: context.to.receipts,
  });
  const receipts = await receiptsOf(tx, rooms, context, joined, isNew);
  const whole = joined.filter((room) => isGivenWhole(context, partOf(room)));
  const summaries = await rooms.summaries(
    tx,
    whole.map((room) => room.roomNid),
    viewer.userId,
  );
  const told: (readonly [RoomId, UserId])[] = [];
  const join: string[] = [];
  for (const room of joined) {
    const read = receipts.get(room.roomNid);
    const section = await joinedRoom(tx, rooms, context, room, partOf(room), {
      counts: counts.get(room.roomNid),
      summary: summaries.get(room.roomNid),
      sticky: sticky.byRoom.get(room.roomNid) ?? [],
      isRead: read !== undefined && isOf(read, viewer.userId),
      accountData: roomAccountData(context, room, accountData),
      ephemeral: ephemeral(rooms, context, room, isNew(room), read),
    });
    if (section === undefined) continue;
    join.push(`${JSON.stringify(room.roomId)}:${section.json}`);
    for (const userId of section.told) told.push([room.roomId, userId]);
  }
  const leave: string[] = [];
  for (const room of skeleton.leave) {
    const data = roomAccountData(context, room, accountData);
    const section = await leftRoom(tx, rooms, context, room, partOf(room), data);
    leave.push(`${JSON.stringify(room.roomId)}:${section.json}`);
  }
  const invite = await stripped(tx, rooms, context, skeleton.invite, 'invite_state');
  const knock = await stripped(tx, rooms, context, skeleton.knock, 'knock_state');
  const sections = Object.entries({ join, invite, knock, leave }).filter(([, entries]) => entries.length > 0);
  const stickyUpTo = sticky.upTo;
  if (sections.length === 0) return { json: '', told, stickyUpTo };
  const json = `{${sections.map(([name, entries]) => `"${name}":{${entries.join(',')}}`).join(',')}}`;
  return { json, told, stickyUpTo };
}

/** The rooms of the skeleton and those where nothing but account data changed. */
function withAccountData(
  { since, rooms, query }: SyncContext,
  listed: readonly UserRoom[],
  changed: RoomsData,
): readonly UserRoom[] {
  if (since === undefined || changed.size === 0) return listed;
  const ids = new Set(listed.map((room) => room.roomId));
  const more = rooms.filter(
    (room) => changed.has(room.roomId) && !ids.has(room.roomId) && matchesRoom(query.filter.room, room.roomId),
  );
  return [...listed, ...more];
}

/** And those where nothing happened but that there is still a sticky event to tell. */
function withSticky({ rooms }: SyncContext, listed: readonly UserRoom[], { byRoom }: StickyNews): readonly UserRoom[] {
  if (byRoom.size === 0) return listed;
  const nids = new Set(listed.map((room) => room.roomNid));
  return [...listed, ...rooms.filter((room) => byRoom.has(room.roomNid) && !nids.has(room.roomNid))];
}

/** Of rooms that are new to the client, all account data is: it may have been set before. */
async function withDataOfNewRooms(
  tx: ReadTx,
  accounts: SyncAccounts,
  { viewer, to, query }: SyncContext,
  newRooms: readonly UserRoom[],
  changed: RoomsData,
): Promise<RoomsData> {
  if (newRooms.length === 0 || query.fullState) return changed;
  const { byRoom } = await accountDataBetween(tx, accounts, viewer.userId, 0, to.accountData);
  const data = new Map(changed);
  for (const { roomId } of newRooms) {
    const events = byRoom.get(roomId);
    if (events !== undefined) data.set(roomId, events);
  }
  return data;
}

function roomAccountData({ query }: SyncContext, room: UserRoom, accountData: RoomsData): readonly string[] {
  const filter = query.filter.room.accountData;
  if (!matchesRoom(filter, room.roomId)) return [];
  const events = accountData.get(room.roomId) ?? [];
  return events.filter(({ type }) => matchesEvent(filter, type, undefined)).map((event) => event.json);
}

/** The receipts since the token; of rooms that are new to the client, all. */
async function receiptsOf(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, since, to, query }: SyncContext,
  joined: readonly UserRoom[],
  isNew: (room: UserRoom) => boolean,
): Promise<ReadonlyMap<number, object>> {
  const known: number[] = [];
  const unknown: number[] = [];
  for (const room of joined) {
    if (since === undefined || query.fullState || isNew(room)) unknown.push(room.roomNid);
    else known.push(room.roomNid);
  }
  const receipts = new Map<number, object>();
  const upTo = to.receipts;
  for (const range of [
    { roomNids: known, after: since?.receipts ?? 0, upTo },
    { roomNids: unknown, after: 0, upTo },
  ]) {
    if (range.roomNids.length === 0 || range.after >= upTo) continue;
    for (const [roomNid, content] of await rooms.receipts(tx, viewer.userId, range)) receipts.set(roomNid, content);
  }
  return receipts;
}

/** Whether receipts' content has one of the user. */
function isOf(receipts: object, userId: UserId): boolean {
  return Object.values(receipts).some((types) => Object.values(types).some((users) => isIn(users, userId)));
}

function isIn(users: unknown, userId: UserId): boolean {
  return typeof users === 'object' && users !== null && userId in users;
}

function ephemeral(
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  isNew: boolean,
  receipts: object | undefined,
): readonly string[] {
  const events: string[] = [];
  if (receipts !== undefined && wantsEphemeral(context, room, 'm.receipt')) {
    events.push(`{"type":"m.receipt","content":${JSON.stringify(receipts)}}`);
  }
  if (!wantsEphemeral(context, room, 'm.typing')) return events;
  const { position, userIds: all } = rooms.typingIn(room.roomId) ?? NOBODY_TYPES;
  const userIds = all.filter((userId) => !context.ignored.has(userId));
  // Nobody typing is news only to those who were told that somebody was.
  const isFirst = isNew || context.since === undefined;
  const isNews = isFirst ? userIds.length > 0 : position > (context.since?.typing ?? 0);
  if (isNews) events.push(`{"type":"m.typing","content":${JSON.stringify({ user_ids: userIds })}}`);
  return events;
}

/** Rooms that the user is invited to or knocks at: the state that goes with it. */
async function stripped(
  tx: ReadTx,
  rooms: SyncRooms,
  { ignored, hidesInvite }: SyncContext,
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
    if (member === undefined) continue;
    const { sender } = member.event;
    if (key === 'invite_state' && (ignored.has(sender) || (await hidesInvite(sender)))) continue;
    const state = await rooms.strippedState(tx, member);
    entries.push(`${JSON.stringify(room.roomId)}:{"${key}":{"events":[${state.join(',')}]}}`);
  }
  return entries;
}
