import { stickyUntil } from '../../protocol/event/index.ts';
import { splitStateKey } from '../../protocol/state/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import { fillGap, insertGap, insertOrPlace } from '../store/graph-rows.ts';
import {
  advanceRoom,
  advanceRoomState,
  DUMMY_EVENT,
  deleteExtremity,
  type EventReader,
  findThreadRoot,
  insertEvent,
  insertExtremity,
  insertNotification,
  insertRedaction,
  insertRelationOf,
  insertTransaction,
  moveExtremity,
  putSticky,
  redactEventRow,
  redactMembership,
  type StateKeys,
  StoredEvent,
} from '../store/index.ts';
import type { StateChange, StateTree } from '../store/state-tree.ts';
import type { HotRoom } from './hot-room.ts';
import type { Batch, PendingEvent, Placement, StateAt } from './pending.ts';
import { type MemberPolicy, persistMember, persistTurned } from './persist-members.ts';

/** What writing needs beside the transaction. */
export interface PersistDeps extends MemberPolicy {
  readonly reader: EventReader;
  readonly stateTree: StateTree;
  readonly stateKeys: StateKeys;
  readonly now: number;
}

/** What a batch has become; real once the transaction is committed. */
export interface Persisted {
  /** One for each event of the batch. */
  readonly stored: readonly StoredEvent[];
  readonly stateRoot: number;
}

/**
 * Writes a batch of a room's events with everything that goes with them; the room's row must exist. Advances `room.written`.
 * @throws Error where another owner has written to the room since it was loaded
 */
export async function persistBatch(tx: WriteTx, deps: PersistDeps, room: HotRoom, batch: Batch): Promise<Persisted> {
  const stored: StoredEvent[] = [];
  let stateRoot = room.written.stateRoot;
  for (const pending of batch.events) {
    const { placement } = pending;
    const before = placement?.stateBefore;
    const rootBefore = before === undefined ? stateRoot : await writeState(tx, deps, before);
    const event = await persistEvent(tx, deps, room, pending, rootBefore);
    stored.push(event);
    if (placement?.stateAfter !== undefined) {
      stateRoot = await writeState(tx, deps, withNid(placement.stateAfter, event));
    } else if (pending.entry !== undefined) {
      const keyNid = await deps.stateKeys.intern(tx, pending.entry.type, pending.entry.stateKey);
      stateRoot = await deps.stateTree.update(tx, stateRoot, [[keyNid, event.nid]]);
    }
  }
  const [first] = batch.events;
  const last = batch.events.at(-1);
  if (first !== undefined && last !== undefined) await persistExtremities(tx, room, first, last);
  await persistRoom(tx, room, batch.events, stateRoot);
  for (const also of batch.also) await also(tx, room.roomNid);
  room.written = { stateRoot, rowVersion: room.written.rowVersion + 1 };
  return { stored, stateRoot };
}

async function persistEvent(
  tx: WriteTx,
  deps: PersistDeps,
  room: HotRoom,
  pending: PendingEvent,
  stateBefore: number,
): Promise<StoredEvent> {
  const { event, transaction } = pending;
  const refused = pending.placement?.refused;
  const position = refused === undefined && event.type !== DUMMY_EVENT ? tx.nextPosition('events') : 0;
  const threadRoot = await threadRootOf(tx, pending);
  const txn = transaction === undefined ? undefined : `${transaction.deviceId}\0${transaction.txnId}`;
  const row = {
    room_nid: room.roomNid,
    event_id: event.eventId,
    position: position === 0 ? null : position,
    depth: Math.min(event.depth, Number.MAX_SAFE_INTEGER),
    type: event.type,
    state_key: event.stateKey ?? null,
    sender: event.sender,
    state_before: stateBefore,
    rejected: refused === 'rejected' ? 1 : 0,
    soft_failed: refused === 'soft_failed' ? 1 : 0,
    redacted_by: null,
    unread: pending.unread,
    thread_root: threadRoot ?? null,
    txn: txn ?? null,
    json: event.json,
  };
  const nid = pending.placement === undefined ? await insertEvent(tx, row) : await insertOrPlace(tx, row);
  pending.extremity.nid = nid;
  if (pending.entry !== undefined) pending.entry.nid = nid;
  const stored = new StoredEvent({
    nid,
    roomNid: room.roomNid,
    position,
    stateBefore,
    event,
    redactedBy: undefined,
    txn,
    unread: pending.unread,
    threadRoot,
    isRefused: refused !== undefined,
    isRejected: refused === 'rejected',
  });
  await persistGaps(tx, stored, pending.placement);
  await persistStickiness(tx, deps, stored);
  await persistTurned(tx, deps, room.roomNid, pending, stored);
  await persistConsequences(tx, deps, pending, stored);
  return stored;
}

/** Writes a state that is told by its differences from another one, and returns its root. */
export async function writeState(
  tx: WriteTx,
  deps: Pick<PersistDeps, 'stateKeys' | 'stateTree'>,
  { root, changes }: StateAt,
): Promise<number> {
  const pairs: StateChange[] = [];
  for (const [key, reference] of changes) {
    const [type, stateKey] = splitStateKey(key);
    pairs.push([await deps.stateKeys.intern(tx, type, stateKey), reference?.nid]);
  }
  return deps.stateTree.update(tx, root, pairs);
}

/** The event that was just written is part of the state after it. */
function withNid(state: StateAt, { nid, event }: StoredEvent): StateAt {
  const changes = new Map(state.changes);
  for (const [key, reference] of changes) {
    if (reference?.eventId === event.eventId) changes.set(key, { eventId: event.eventId, nid });
  }
  return { root: state.root, changes };
}

/** Notes what is missing before the event, and that it is itself no longer missing. */
async function persistGaps(tx: WriteTx, stored: StoredEvent, placement: Placement | undefined): Promise<void> {
  if (placement === undefined) return;
  await fillGap(tx, stored.roomNid, stored.event.eventId);
  for (const missing of placement.missing) await insertGap(tx, stored.roomNid, missing, stored.nid);
  if (placement.redactsLater !== undefined) await insertRedaction(tx, placement.redactsLater, stored.nid);
}

/** A soft-failed one is noted too: it may yet be allowed while it would be sticky. MSC4354. */
async function persistStickiness(tx: WriteTx, { now }: PersistDeps, stored: StoredEvent): Promise<void> {
  const { nid, roomNid, position, event, isRefused, isRejected } = stored;
  const { stickyDurationMs: durationMs } = event;
  if (durationMs === undefined || isRejected) return;
  const expiresTs = stickyUntil(durationMs, event.originServerTs, now);
  if (expiresTs <= now) return;
  await putSticky(tx, {
    event_nid: nid,
    room_nid: roomNid,
    position: isRefused ? null : position,
    expires_ts: expiresTs,
  });
}

/** A thread's events name its first one; what relates to one of them is in the thread too. Spec: client-server-api/#threading */
async function threadRootOf(tx: WriteTx, { relation }: PendingEvent) {
  if (relation === undefined) return undefined;
  return relation.relType === 'm.thread' ? relation.relatesTo : findThreadRoot(tx, relation.relatesTo);
}

async function persistConsequences(
  tx: WriteTx,
  deps: PersistDeps,
  pending: PendingEvent,
  { nid, roomNid, position, threadRoot, event }: StoredEvent,
): Promise<void> {
  const { member, relation, redaction, transaction } = pending;
  if (member !== undefined) {
    await persistMember(tx, deps, roomNid, member, { nid, position, sender: event.sender });
  }
  if (relation !== undefined) {
    await insertRelationOf(tx, { event, nid, roomNid, position }, relation);
  }
  if (redaction !== undefined) {
    const { target, redacted } = redaction;
    await insertRedaction(tx, target.event.eventId, nid);
    await redactEventRow(tx, target.nid, redacted.json, event.eventId);
    if (target.event.type === 'm.room.member') {
      await redactMembership(tx, target.nid, target.event.stateKey ?? '', roomNid);
    }
  }
  for (const { userId, notify, highlight, actions } of pending.notifications) {
    await insertNotification(tx, {
      user_id: userId,
      room_nid: roomNid,
      position,
      event_nid: nid,
      thread_root: threadRoot ?? null,
      notify: notify ? 1 : 0,
      highlight: highlight ? 1 : 0,
      actions,
    });
  }
  if (transaction !== undefined) {
    await insertTransaction(tx, {
      user_id: transaction.userId,
      device_id: transaction.deviceId,
      scope: transaction.scope,
      txn_id: transaction.txnId,
      event_id: event.eventId,
      created_ts: deps.now,
    });
  }
}

/** The usual event follows the one extremity there is; forks and joins of the graph take the longer way. */
async function persistExtremities(tx: WriteTx, room: HotRoom, first: PendingEvent, last: PendingEvent): Promise<void> {
  const gone = first.extremitiesBefore.filter((extremity) => !last.extremitiesAfter.includes(extremity));
  const come = last.extremitiesAfter.filter((extremity) => !first.extremitiesBefore.includes(extremity));
  const [from] = gone;
  const [to] = come;
  if (from !== undefined && to !== undefined && gone.length === 1 && come.length === 1) {
    await moveExtremity(tx, room.roomNid, from.nid, to.nid);
    return;
  }
  for (const { nid } of gone) await deleteExtremity(tx, room.roomNid, nid);
  for (const { nid } of come) await insertExtremity(tx, room.roomNid, nid);
}

async function persistRoom(tx: WriteTx, room: HotRoom, events: readonly PendingEvent[], stateRoot: number) {
  const { rowVersion } = room.written;
  const figures = events.at(-1)?.figuresAfter ?? room.figures;
  const hasState = events.some(
    ({ entry, redaction, placement }) =>
      entry !== undefined || redaction?.entry !== undefined || placement?.stateAfter !== undefined,
  );
  const isOurs = hasState
    ? await advanceRoomState(tx, room.roomNid, rowVersion, {
        ...figures.digest,
        state_root: stateRoot,
        joined_count: figures.joinedCount,
        invited_count: figures.invitedCount,
      })
    : await advanceRoom(tx, room.roomNid, rowVersion);
  if (!isOurs) throw new Error(`room ${room.roomId} was written to by another owner`);
}
