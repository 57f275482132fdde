import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type Digest, digestMessage, languageOf, type Mailer } from '../email/index.ts';
import { type Job, type Jobs, job } from '../jobs/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { Reading } from '../rooms/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { Streams } from '../streams/index.ts';
import { digestRooms } from './digest-rooms.ts';
import { beginMails, type MailedRoomRow, mailState, noteMailed } from './email-store.ts';
import { type MissedAccounts, type MissedRoom, missedBy } from './missed-messages.ts';
import { deliverPayload } from './push-follower.ts';
import type { Pusher, Pushers } from './pushers.ts';
import type { UnsubscribeLinks } from './unsubscribe-links.ts';

/** How mails about missed messages are made. */
export interface EmailRules {
  readonly appName: string;
  readonly homeUrl: string;
  readonly showsContent: boolean;
  /** How long something must have been unread. */
  readonly delayMs: number;
  readonly pauseMsMax: number;
}

export interface EmailDeliveryDeps {
  readonly database: Database;
  readonly streams: Streams;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly reading: Reading;
  readonly pushers: Pushers;
  /** Undefined: none are sent. */
  readonly mailer: Mailer | undefined;
  readonly links: UnsubscribeLinks;
  readonly accounts: MissedAccounts & {
    userOf(medium: string, address: string): Promise<UserId | undefined>;
  };
  readonly rules: EmailRules;
}

const EMAIL_JOB = 'push.email';
const ATTEMPTS_MAX = 12;
const ROOMS_PER_MAIL_MAX = 20;
const PAUSE_FACTOR = 6;
const AT_ONCE_MAX = 3;
const PUT_OFF_MS = 5_000;

/** Sends mails about what users have missed: late enough for them to read it themselves, and ever more seldom. */
export class EmailDelivery {
  readonly #deps: EmailDeliveryDeps;
  /** Pushers for which a job comes soon, not one after a long pause: further events need not ask for one. */
  readonly #waiting = new Set<number>();
  #sending = 0;

  constructor(deps: EmailDeliveryDeps) {
    this.#deps = deps;
    deps.jobs.declare(this.#job());
  }

  get isAvailable(): boolean {
    return this.#deps.mailer !== undefined;
  }

  /** Whether a job must be asked for when something happens for this pusher. */
  needsJob(pusherId: number): boolean {
    return this.isAvailable && !this.#waiting.has(pusherId);
  }

  /** Something happened at a position that a pusher's user may miss: looks after it in a while. */
  async noteIn(tx: WriteTx, pusherId: number, position: number): Promise<void> {
    await beginMails(tx, pusherId, position - 1);
    await this.#enqueue(tx, pusherId, this.#deps.clock.now() + this.#deps.rules.delayMs);
    tx.onCommit(() => this.#waiting.add(pusherId));
  }

  #job(): Job {
    return job({
      name: EMAIL_JOB,
      payload: deliverPayload,
      attemptsMax: ATTEMPTS_MAX,
      handle: async ({ pusherId }) => {
        if (this.#sending >= AT_ONCE_MAX) return this.#putOff(pusherId);
        this.#sending++;
        try {
          await this.#deliver(pusherId);
        } finally {
          this.#sending--;
        }
      },
    });
  }

  /** A mail server that is slow must not keep other jobs from running. */
  async #putOff(pusherId: number): Promise<void> {
    const { database, clock } = this.#deps;
    await database.write('main', (tx) => this.#enqueue(tx, pusherId, clock.now() + PUT_OFF_MS));
  }

  async #enqueue(tx: WriteTx, pusherId: number, notBeforeMs: number): Promise<void> {
    await this.#deps.jobs.enqueue(tx, EMAIL_JOB, { pusherId }, { key: String(pusherId), notBeforeMs });
  }

  async #deliver(pusherId: number): Promise<void> {
    // Before anything is read: what happens from now on asks for another job.
    this.#waiting.delete(pusherId);
    const { database, pushers, streams, reading, mailer, accounts, clock, rules } = this.#deps;
    const pusher = pushers.find(pusherId);
    if (pusher === undefined || mailer === undefined || !pusher.isEnabled) return;
    if ((await accounts.userOf('email', pusher.pushkey)) !== pusher.userId) {
      await pushers.delete(pusher.userId, pusher.appId, pusher.pushkey);
      return;
    }
    const upTo = streams.current('events');
    const state = await database.read((tx) => mailState(tx, pusherId));
    if (state === undefined) return;
    const now = clock.now();
    const missed = await missedBy(reading, pusher.userId, state, accounts);
    const due = missed.map((room) => ({ room, ts: dueTs(room, state.rooms.get(room.roomNid)) }));
    // The first of them must be old enough; then one mail tells of them all.
    const ready = due.filter(({ ts }) => ts <= now).map(({ room }) => room);
    const readyTs = Math.min(...ready.map((room) => firstTs(room, now) + rules.delayMs));
    const told = readyTs <= now ? ready.slice(0, ROOMS_PER_MAIL_MAX) : [];
    if (told.length > 0) await this.#send(mailer, pusher, told);
    const rest = due.filter(({ room }) => !told.includes(room));
    const nextTs = Math.min(...rest.map(({ room, ts }) => Math.max(ts, firstTs(room, now) + rules.delayMs)));
    const rows = told.map((room) => this.#mailedRow(pusherId, room, state.rooms.get(room.roomNid), now));
    await database.write('main', async (tx) => {
      await noteMailed(tx, pusherId, rows, rest.length === 0 ? upTo : undefined);
      if (rest.length > 0) await this.#enqueue(tx, pusherId, nextTs);
    });
  }

  #mailedRow(pusherId: number, room: MissedRoom, before: MailedRoomRow | undefined, now: number): MailedRoomRow {
    const { delayMs, pauseMsMax } = this.#deps.rules;
    const isFirst = before === undefined || room.hasReadSince;
    return {
      pusher_id: pusherId,
      room_nid: room.roomNid,
      mailed_position: Math.max(...room.events.map((event) => event.position)),
      mailed_ts: now,
      pause_ms: Math.min(isFirst ? delayMs : before.pause_ms * PAUSE_FACTOR, pauseMsMax),
    };
  }

  async #send(mailer: Mailer, pusher: Pusher, told: readonly MissedRoom[]): Promise<void> {
    const { database, reading, links, rules } = this.#deps;
    const { appName, homeUrl, showsContent } = rules;
    const rooms = await database.read((tx) => digestRooms(tx, reading.states, told));
    const unsubscribeUrl = links.urlOf(pusher);
    const digest: Digest = { appName, homeUrl, showsContent, unsubscribeUrl, rooms };
    const positions = told.map(({ events }) => events.at(-1)?.position).join();
    const id = createHash('sha256').update(`${unsubscribeUrl}\0${positions}`).digest('hex').slice(0, 32);
    await mailer.send({
      to: pusher.pushkey,
      ...digestMessage(languageOf(pusher.lang), digest),
      // One that is sent again after a crash is the same mail.
      messageId: `<${id}@${new URL(homeUrl).hostname}>`,
      headers: {
        'Auto-Submitted': 'auto-generated',
        'List-Unsubscribe': `<${unsubscribeUrl}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      },
    });
  }
}

/** Until then, a room is in its pause. */
function dueTs(room: MissedRoom, mailed: MailedRoomRow | undefined): number {
  return mailed === undefined || room.hasReadSince ? 0 : mailed.mailed_ts + mailed.pause_ms;
}

/** When the first of what was missed was sent; another server may say that this will be. */
function firstTs({ events }: MissedRoom, now: number): number {
  return Math.min(now, ...events.map(({ event }) => event.originServerTs));
}
