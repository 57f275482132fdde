import { referenceHash } from '../../protocol/event/index.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import { roomVersionRules } from '../../protocol/room-versions/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import {
  type EventReader,
  eventIdsOf,
  findRoom,
  lastPositionIn,
  listExtremities,
  listMembers,
  type RoomRow,
  type StateKeys,
} from '../store/index.ts';
import type { StateTree } from '../store/state-tree.ts';
import { type Extremity, HotRoom, type StateEntry } from './hot-room.ts';

export interface LoadDeps {
  readonly reader: EventReader;
  readonly stateTree: StateTree;
  readonly stateKeys: StateKeys;
}

/** State that nearly every write needs, decoded at once. */
const ALWAYS_DECODED: ReadonlySet<string> = new Set(['m.room.create', 'm.room.power_levels', 'm.room.join_rules']);

/** Loads a room with its current state by reference; undefined where we don't know the room. */
export async function loadRoom(tx: ReadTx, deps: LoadDeps, roomId: RoomId): Promise<HotRoom | undefined> {
  const row = await findRoom(tx, roomId);
  if (row === undefined) return undefined;
  const rules = roomVersionRules(row.version);
  if (rules === undefined) throw new Error(`room ${roomId} has the unknown version ${row.version}`);
  const room = new HotRoom(roomId, rules, {
    roomNid: row.room_nid,
    stateRoot: row.state_root,
    rowVersion: row.row_version,
  });
  await loadState(tx, deps, room);
  for (const member of await listMembers(tx, room.roomNid)) {
    room.members.commit(member.user_id, { membership: member.membership });
  }
  room.extremities = await loadExtremities(tx, deps, room);
  room.figures = { joinedCount: row.joined_count, invitedCount: row.invited_count, digest: digestOf(row) };
  room.committed = {
    figures: room.figures,
    stateRoot: row.state_root,
    lastPosition: await lastPositionIn(tx, room.roomNid),
    extremities: room.extremities,
  };
  return room;
}

async function loadState(tx: ReadTx, deps: LoadDeps, room: HotRoom): Promise<void> {
  const pairs = await deps.stateTree.entries(tx, room.written.stateRoot);
  const names = await deps.stateKeys.names(tx, [...pairs.keys()]);
  const eventIds = await eventIdsOf(tx, [...pairs.values()]);
  const decode: StateEntry[] = [];
  for (const [keyNid, nid] of pairs) {
    const name = names.get(keyNid);
    const eventId = eventIds.get(nid);
    if (name === undefined || eventId === undefined)
      throw new Error(`the state of ${room.roomId} has an unknown entry`);
    const entry: StateEntry = { ...name, eventId, nid, event: undefined };
    room.state.committed.set(`${name.type}\0${name.stateKey}`, entry);
    if (ALWAYS_DECODED.has(name.type)) decode.push(entry);
  }
  await decodeEntries(tx, deps.reader, decode);
}

/** Gives state entries their events; those that have one or aren't written yet are left alone. */
export async function decodeEntries(tx: ReadTx, reader: EventReader, entries: readonly StateEntry[]): Promise<void> {
  const missing = entries.filter((entry) => entry.event === undefined);
  const events = await reader.byNids(
    tx,
    missing.map((entry) => entry.nid),
  );
  const byNid = new Map(events.map((stored) => [stored.nid, stored.event]));
  for (const entry of missing) entry.event ??= byNid.get(entry.nid);
}

async function loadExtremities(tx: ReadTx, deps: LoadDeps, room: HotRoom): Promise<readonly Extremity[]> {
  const rows = await listExtremities(tx, room.roomNid);
  if (room.rules.eventIds !== 'in-event') {
    return rows.map((row) => ({ eventId: row.event_id, depth: row.depth, nid: row.nid, hash: undefined }));
  }
  const events = await deps.reader.byNids(
    tx,
    rows.map((row) => row.nid),
  );
  return events.map(({ nid, event }) => ({
    eventId: event.eventId,
    depth: event.depth,
    nid,
    hash: referenceHash(event.exactPdu, room.rules),
  }));
}

function digestOf(row: RoomRow) {
  const { name, topic, canonical_alias, avatar_url, join_rule, guest_access, history_visibility } = row;
  const { room_type, encryption, federate, creator, tombstone_replacement } = row;
  return {
    name,
    topic,
    canonical_alias,
    avatar_url,
    join_rule,
    guest_access,
    history_visibility,
    room_type,
    encryption,
    federate,
    creator,
    tombstone_replacement,
  };
}
