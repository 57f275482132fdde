/** How a room gets the rest of its state: what came meanwhile is judged anew, and all of it takes effect at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { relationOf } from '../../protocol/event/index.ts';
import { serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import type { WriteTx } from '../../storage/index.ts';
import { MEMBERS, type MembershipNews, type StreamNews } from '../news.ts';
import type { PartialRoom } from '../partial-rooms.ts';
import { deleteExtremities, insertMembers, putVerdict, undoEvent } from '../store/import-rows.ts';
import {
  advanceRoomState,
  completePartialRoom,
  deleteMembership,
  insertExtremity,
  insertRelationOf,
  listMembers,
  type MembershipRow,
  putMembership,
  type RoomDigest,
  type StoredEvent,
} from '../store/index.ts';
import { digestAfter, EMPTY_DIGEST } from '../write/digest.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { ReceiveDeps } from './deps.ts';
import { memberRowOf } from './member-rows.ts';
import { isRefused, type Rejudged, type RejudgedRoom, rejudge } from './rejudge.ts';

const PORTION = 500;

/** A room's members and digest by its whole state. */
interface WholeRoom {
  readonly members: ReadonlyMap<UserId, Omit<MembershipRow, 'position'>>;
  readonly digest: RoomDigest;
}

/** Gives a held room the whole state before our join. `fullRoot`: the root of that. */
export async function completeRoom(
  deps: ReceiveDeps,
  room: HotRoom,
  partial: PartialRoom,
  fullRoot: number,
): Promise<void> {
  const { database, reader, hotRooms } = deps;
  const judged = await rejudge(deps, room, partial.joinNid, fullRoot);
  const whole = await readWhole(deps, room, judged.stateRoot);
  const known = await addMembers(deps, room, whole);
  const moved = new Map<UserId, MembershipNews>();
  const position = await database.write('main', async (tx) => {
    const before = await listMembers(tx, room.roomNid);
    for (const one of judged.events) await writeVerdict(tx, room, one);
    const completed = tx.nextPosition('events');
    await changeMembers(tx, room, whole, before, completed, moved);
    await writeRoom(tx, room, judged, whole);
    await completePartialRoom(tx, room.roomNid, completed);
    return completed;
  });
  for (const { stored, stateBefore } of judged.events) reader.forgetRejudged(stored.nid, stateBefore);
  deps.partial.complete(room.roomNid, position);
  hotRooms.drop(room);
  tell(deps, room, position, moved);
  deps.log.info({ roomId: room.roomId, members: known, events: judged.events.length }, 'a room is whole now');
}

/** Reads the state in portions: a large room must not keep others waiting. */
async function readWhole(deps: ReceiveDeps, { roomNid }: HotRoom, root: number): Promise<WholeRoom> {
  const { database, reader, stateTree, stateKeys } = deps;
  const entries = await database.read((tx) => stateTree.entries(tx, root));
  const pairs = [...entries];
  const members = new Map<UserId, Omit<MembershipRow, 'position'>>();
  let digest = EMPTY_DIGEST;
  for (let start = 0; start < pairs.length; start += PORTION) {
    const portion = pairs.slice(start, start + PORTION);
    const events = await database.read(async (tx): Promise<readonly StoredEvent[]> => {
      const names = await stateKeys.names(
        tx,
        portion.map(([key]) => key),
      );
      const wanted = portion.filter(([key]) => {
        const name = names.get(key);
        return name?.type === 'm.room.member' || name?.stateKey === '';
      });
      return reader.byNids(
        tx,
        wanted.map(([, nid]) => nid),
      );
    });
    for (const { event, nid } of events) {
      digest = digestAfter(digest, event);
      const row = memberRowOf(event, { roomNid, nid });
      if (row !== undefined) members.set(row.user_id, row);
    }
    await nextTurn();
  }
  return { members, digest };
}

/** Inserts the members who weren't known, in portions. That nobody counts them yet harms nobody. */
async function addMembers({ database }: ReceiveDeps, { roomNid }: HotRoom, { members }: WholeRoom): Promise<number> {
  const there = new Set((await database.read((tx) => listMembers(tx, roomNid))).map((row) => row.user_id));
  const fresh = [...members.values()].filter((row) => !there.has(row.user_id));
  for (let start = 0; start < fresh.length; start += PORTION) {
    await database.write('main', async (tx) => {
      const position = tx.nextPosition('events');
      await insertMembers(
        tx,
        fresh.slice(start, start + PORTION).map((row) => ({ ...row, position })),
      );
    });
    await nextTurn();
  }
  return fresh.length;
}

async function writeVerdict(tx: WriteTx, { roomNid }: HotRoom, judged: Rejudged): Promise<void> {
  const { stored, stateBefore, isRejected, isSoftFailed } = judged;
  const { nid, event } = stored;
  const isNowRefused = isRefused(judged);
  const isSame = stored.isRefused === isNowRefused && stored.isRejected === isRejected;
  if (isSame && stored.stateBefore === stateBefore) return;
  const verdict = {
    nid,
    state_before: stateBefore,
    rejected: isRejected ? 1 : 0,
    soft_failed: isSoftFailed ? 1 : 0,
  } as const;
  if (stored.isRefused === isNowRefused) {
    await putVerdict(tx, verdict);
    return;
  }
  if (isNowRefused) {
    await putVerdict(tx, { ...verdict, position: null });
    await undoEvent(tx, nid);
    return;
  }
  const position = tx.nextPosition('events');
  await putVerdict(tx, { ...verdict, position });
  const relation = relationOf(event);
  if (relation === undefined) return;
  await insertRelationOf(tx, { event, nid, roomNid, position }, relation);
}

/** What is other than was known: users who aren't members by the whole state, or by another event. */
async function changeMembers(
  tx: WriteTx,
  { roomId, roomNid }: HotRoom,
  { members }: WholeRoom,
  before: readonly MembershipRow[],
  position: number,
  moved: Map<UserId, MembershipNews>,
): Promise<void> {
  for (const row of before) {
    const now = members.get(row.user_id);
    if (now?.event_nid === row.event_nid) continue;
    if (now === undefined) await deleteMembership(tx, row.user_id, roomNid);
    else await putMembership(tx, { ...now, position, forgotten: row.forgotten });
    const { membership, event_nid: eventNid } = now ?? { membership: 'leave', event_nid: row.event_nid };
    moved.set(row.user_id, { roomId, roomNid, membership, eventNid, position });
  }
}

async function writeRoom(
  tx: WriteTx,
  room: HotRoom,
  judged: RejudgedRoom,
  { members, digest }: WholeRoom,
): Promise<void> {
  await deleteExtremities(tx, room.roomNid);
  for (const nid of judged.ends) await insertExtremity(tx, room.roomNid, nid);
  const count = (membership: string) => [...members.values()].filter((row) => row.membership === membership).length;
  const isOurs = await advanceRoomState(tx, room.roomNid, room.written.rowVersion, {
    ...digest,
    state_root: judged.stateRoot,
    joined_count: count('join'),
    invited_count: count('invite'),
  });
  if (!isOurs) throw new Error(`room ${room.roomId} was written to by another owner`);
}

function tell(
  { hub, serverName }: ReceiveDeps,
  { roomId }: HotRoom,
  position: number,
  moved: ReadonlyMap<UserId, MembershipNews>,
): void {
  for (const [userId, news] of moved) if (serverNameOf(userId) === serverName) hub.wake([`user:${userId}`], news);
  const members: StreamNews = { stream: MEMBERS, position };
  const news: StreamNews = { stream: 'events', position };
  hub.wake([`room:${roomId}`], members);
  hub.wake([`room:${roomId}`, 'stream:events'], news);
}
