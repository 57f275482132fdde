import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { type Job, type Jobs, job } from '../jobs/index.ts';
import { KeyedLocks } from '../keyed-locks.ts';
import { forbidden, invalidParam, limitExceeded, MatrixError, notFound } from '../protocol/errors.ts';
import type { EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import {
  type DelayedFilter,
  type DelayedRow,
  deleteFinalised,
  findDelayed,
  findRepeated,
  insertDelayed,
  listDelayed,
  scheduledOf,
  updateScheduled,
} from './store.ts';

/** What somebody wants to be sent later. */
export interface DelayedWish {
  readonly userId: UserId;
  readonly deviceId: string;
  /** Undefined where the endpoint has none. */
  readonly txnId: string | undefined;
  readonly roomId: RoomId;
  readonly type: string;
  /** Undefined: not a state event. */
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
  readonly delayMs: number;
  /** MSC4354: sticky for so long from when it is sent. */
  readonly stickyDurationMs: number | undefined;
}

export const DELAYED_ACTIONS = ['send', 'cancel', 'restart'] as const;
export type DelayedAction = (typeof DELAYED_ACTIONS)[number];

export interface DelayedEventsDeps {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly rooms: Rooms;
  readonly clock: Clock;
  readonly rateLimits: RateLimits;
  readonly accounts: {
    find(userId: UserId): Promise<{ readonly isLocked: boolean; readonly isSuspended: boolean } | undefined>;
  };
  /** 0: there are none. */
  readonly delayMsMax: number;
  readonly perUserMax: number;
}

const SEND_JOB = 'delayed_event.send';
const CLEAN_JOB = 'delayed_events.delete_finalised';
const FINALISED_KEPT_MS = 7 * 24 * 60 * 60 * 1000;
const CLEAN_EVERY_MS = 60 * 60 * 1000;
/** 32 random characters: who knows an id may end the delay. */
const ID_BYTES = 24;
const ATTEMPTS_MAX = 100;

/** Events that are sent later; they outlive restarts. MSC4140. */
export class DelayedEvents {
  readonly #deps: DelayedEventsDeps;
  /** What is asked for the same event goes one after the other: who cancels in time must be told no lie. */
  readonly #locks = new KeyedLocks();

  constructor(deps: DelayedEventsDeps) {
    this.#deps = deps;
  }

  /** The jobs of this part. */
  jobs(): readonly Job[] {
    return [
      job({
        name: SEND_JOB,
        payload: z.object({ delayId: z.string() }),
        attemptsMax: ATTEMPTS_MAX,
        handle: ({ delayId }) => this.#locks.run(delayId, () => this.#sendDue(delayId)),
      }),
      job({
        name: CLEAN_JOB,
        payload: z.object({}),
        everyMs: CLEAN_EVERY_MS,
        handle: async () => {
          const before = this.#deps.clock.now() - FINALISED_KEPT_MS;
          await this.#deps.database.write('main', (tx) => deleteFinalised(tx, before));
        },
      }),
    ];
  }

  /**
   * Schedules an event and returns its delay id; the same request again gets the same one.
   * @throws MatrixError `M_MAX_DELAY_EXCEEDED`, 429 where the user has too many
   */
  async schedule(wish: DelayedWish): Promise<string> {
    const { database, jobs, clock, delayMsMax, perUserMax } = this.#deps;
    if (delayMsMax === 0) throw forbidden('There are no delayed events on this server');
    if (wish.delayMs <= 0) throw invalidParam('delay must be positive');
    if (wish.delayMs > delayMsMax) throw tooLong(delayMsMax);
    const now = clock.now();
    const row = toRow(wish, randomBytes(ID_BYTES).toString('base64url'), now);
    return database.write('main', async (tx) => {
      const repeated = row.txn_id === null ? undefined : await findRepeated(tx, row);
      if (repeated !== undefined) return repeated.delay_id;
      const { count, nextTs } = await scheduledOf(tx, wish.userId);
      if (count >= perUserMax) throw limitExceeded(Math.max(1, (nextTs ?? now) - now));
      await insertDelayed(tx, row);
      await jobs.enqueue(tx, SEND_JOB, { delayId: row.delay_id }, { key: row.delay_id, notBeforeMs: row.send_ts });
      return row.delay_id;
    });
  }

  /**
   * Sends, cancels or restarts a delayed event. Doing again what is done is no error.
   * @throws MatrixError 404, 409 where something else was done, or that of sending
   */
  async act(delayId: string, action: DelayedAction): Promise<void> {
    await this.#locks.run(delayId, () => this.#act(delayId, action));
  }

  async #act(delayId: string, action: DelayedAction): Promise<void> {
    const row = await this.#deps.database.read((tx) => findDelayed(tx, delayId));
    if (row === undefined) throw notFound('There is no such delayed event');
    if (row.status !== 'scheduled') return assertDone(row, action);
    if (action === 'send') return this.#send(row, 'action');
    // A crash may have come between the event and the note of it.
    if ((await this.#deps.rooms.findDelayed(row.user_id, delayId)) !== undefined) throw conflict();
    if (action === 'restart') return this.#restart(row);
    const cancelled = { status: 'cancelled', reason: 'action', finalised_ts: this.#deps.clock.now() } as const;
    await this.#deps.database.write('main', async (tx) => void (await updateScheduled(tx, delayId, cancelled)));
  }

  /** A user's delayed event. @throws M_NOT_FOUND */
  async get(userId: UserId, delayId: string): Promise<DelayedRow> {
    const row = await this.#deps.database.read((tx) => findDelayed(tx, delayId));
    if (row === undefined || row.user_id !== userId) throw notFound('There is no such delayed event');
    return row;
  }

  /** A user's delayed events, in no order. */
  list(filter: DelayedFilter): Promise<readonly DelayedRow[]> {
    return this.#deps.database.read((tx) => listDelayed(tx, filter));
  }

  async #restart(row: DelayedRow): Promise<void> {
    const { database, jobs, clock } = this.#deps;
    const now = clock.now();
    const change = { running_since: now, send_ts: now + row.delay_ms };
    const options = { key: row.delay_id, notBeforeMs: change.send_ts };
    await database.write('main', async (tx) => {
      if (!(await updateScheduled(tx, row.delay_id, change))) throw conflict();
      await jobs.enqueue(tx, SEND_JOB, { delayId: row.delay_id }, options);
    });
  }

  async #sendDue(delayId: string): Promise<void> {
    const row = await this.#deps.database.read((tx) => findDelayed(tx, delayId));
    // Restarted meanwhile: there is a later job.
    if (row === undefined || row.status !== 'scheduled' || row.send_ts > this.#deps.clock.now()) return;
    try {
      await this.#send(row, 'delay');
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      const failed = {
        status: 'failed',
        reason: 'delay',
        finalised_ts: this.#deps.clock.now(),
        error: JSON.stringify(error.toBody()),
      } as const;
      await this.#deps.database.write('main', async (tx) => void (await updateScheduled(tx, delayId, failed)));
    }
  }

  async #send(row: DelayedRow, reason: 'action' | 'delay'): Promise<void> {
    const { accounts, database, rateLimits, clock } = this.#deps;
    const account = await accounts.find(row.user_id);
    if (account === undefined || account.isLocked || account.isSuspended) {
      throw new MatrixError('M_USER_SUSPENDED', 'The account of who wanted this to be sent is suspended or locked');
    }
    rateLimits.take('message', row.user_id);
    const sent = { status: 'sent', reason, event_id: await this.#append(row), finalised_ts: clock.now() } as const;
    await database.write('main', async (tx) => void (await updateScheduled(tx, row.delay_id, sent)));
  }

  /** Once, however often it is tried: by the delay id. */
  #append(row: DelayedRow): Promise<EventId> {
    const { rooms } = this.#deps;
    const content: unknown = JSON.parse(row.content);
    if (!isJsonObject(content)) throw new Error(`the content of ${row.delay_id} is not an object`);
    const { room_id: roomId, user_id: sender, type, state_key: stateKey } = row;
    const stickyDurationMs = row.sticky_duration_ms ?? undefined;
    const request = { roomId, sender, type, content, delayId: row.delay_id, stickyDurationMs };
    return stateKey === null ? rooms.send(request) : rooms.setState({ ...request, stateKey });
  }
}

function toRow(wish: DelayedWish, delayId: string, now: number): DelayedRow {
  return {
    delay_id: delayId,
    user_id: wish.userId,
    device_id: wish.deviceId,
    txn_id: wish.txnId ?? null,
    room_id: wish.roomId,
    type: wish.type,
    state_key: wish.stateKey ?? null,
    content: JSON.stringify(wish.content),
    delay_ms: wish.delayMs,
    sticky_duration_ms: wish.stickyDurationMs ?? null,
    running_since: now,
    send_ts: now + wish.delayMs,
    status: 'scheduled',
    reason: null,
    finalised_ts: null,
    event_id: null,
    error: null,
  };
}

/** What of an action may be repeated on what is finalised. */
function assertDone({ status }: DelayedRow, action: DelayedAction): void {
  const isDone = status === 'sent' ? action === 'send' : action === 'cancel';
  if (!isDone) throw conflict();
}

function conflict(): MatrixError {
  return new MatrixError('M_UNKNOWN', 'The delayed event has been sent or cancelled already', { status: 409 });
}

function tooLong(delayMsMax: number): MatrixError {
  return new MatrixError('M_MAX_DELAY_EXCEEDED', 'The requested delay exceeds the allowed maximum.', {
    fields: {
      max_delay: delayMsMax,
      'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
      'org.matrix.msc4140.max_delay': delayMsMax,
    },
  });
}
