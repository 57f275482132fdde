import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Jobs } from '../jobs/index.ts';
import { upTo } from '../lru.ts';
import { authStateOf, powerLevels } from '../protocol/auth/index.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import { evaluatePush, type PushRuleset } from '../protocol/push/index.ts';
import { type EventReader, type StoredEvent, UNREAD } from '../rooms/index.ts';
import type { ReadTx, WriteTx } from '../storage/index.ts';
import { type ConsumerDeps, runConsumer } from '../streams/index.ts';
import type { EmailDelivery } from './email-delivery.ts';
import { EMAIL_KIND, type Pushers } from './pushers.ts';
import {
  addToQueue,
  type NotifyingEvent,
  notifyingEvents,
  ownVerdicts,
  pushedMembers,
  type QueueRow,
  readersBetween,
} from './store.ts';

/** The job that sends what waits for a pusher. */
export const DELIVER_JOB = 'push.deliver';
export const deliverPayload = z.object({ pusherId: z.int() });

export interface PushFollowerDeps extends ConsumerDeps {
  readonly events: EventReader;
  readonly jobs: Jobs;
  readonly pushers: Pushers;
  readonly emails: Pick<EmailDelivery, 'needsJob' | 'noteIn'>;
  readonly accounts: {
    ignoredUsers(userId: UserId): Promise<ReadonlySet<UserId>>;
    pushRulesOf(userId: UserId): PushRuleset;
    /** Whether the user isn't to be shown invites of the inviter. */
    hidesInvite(userId: UserId, inviter: UserId): Promise<boolean>;
  };
}

/** Something for a user's pushers. */
interface Notice {
  readonly position: number;
  readonly to: readonly { readonly userId: UserId; readonly eventNid: number | null; readonly tweaks: string }[];
}

const ROOMS_REMEMBERED_MAX = 5_000;
const NO_TWEAKS = '{}';
const HIGHLIGHT = JSON.stringify({ highlight: true });

/** Follows events and receipts, and puts what users must hear of into the queues of their pushers. */
export class PushFollower implements AsyncDisposable {
  readonly #deps: PushFollowerDeps;
  readonly #controller = new AbortController();
  /** Who is to be pushed in a room, as of a generation of the pushers. */
  readonly #audiences = new LRUCache<number, { readonly generation: number; readonly userIds: readonly UserId[] }>({
    ...upTo(ROOMS_REMEMBERED_MAX),
  });
  #ended: Promise<unknown> = Promise.resolve();

  constructor(deps: PushFollowerDeps) {
    this.#deps = deps;
  }

  /** Begins to follow, from where it was. */
  start(): void {
    const { signal } = this.#controller;
    const common = {
      startAt: 'now',
      handle: async (notices: readonly Notice[]) => {
        const work = this.#workOf(notices);
        const isAny = work.rows.length > 0 || work.mails.size > 0;
        return isAny ? (tx: WriteTx) => this.#enqueue(tx, work) : undefined;
      },
      signal,
    } as const;
    this.#ended = Promise.all([
      runConsumer<Notice>(
        {
          ...common,
          name: 'push.events',
          stream: 'events',
          read: async (tx, from, to, limit) => {
            const notices: Notice[] = [];
            for (const event of await notifyingEvents(tx, from, to, limit)) notices.push(await this.#judge(tx, event));
            return notices;
          },
        },
        this.#deps,
      ),
      runConsumer<Notice>(
        {
          ...common,
          name: 'push.receipts',
          stream: 'receipts',
          read: async (tx, from, to, limit) =>
            (await readersBetween(tx, from, to, limit)).map(({ user_id: userId, position }) => ({
              position,
              to:
                this.#deps.pushers.enabledOf(userId).length === 0
                  ? []
                  : [{ userId, eventNid: null, tweaks: NO_TWEAKS }],
            })),
        },
        this.#deps,
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  async #judge(tx: ReadTx, { nid, position, roomNid }: NotifyingEvent): Promise<Notice> {
    const [stored] = await this.#deps.events.byNids(tx, [nid]);
    if (stored === undefined || stored.redactedBy !== undefined || stored.isRefused) return { position, to: [] };
    if (stored.event.type === 'm.room.member') this.#audiences.delete(roomNid);
    const to = [...(await this.#toMembers(tx, stored)), ...(await this.#toInvited(stored))];
    return { position, to };
  }

  async #toMembers(tx: ReadTx, { nid, roomNid, unread, event }: StoredEvent): Promise<Notice['to']> {
    const userIds = await this.#audience(tx, roomNid);
    if (userIds.length === 0) return [];
    const own = await ownVerdicts(tx, nid);
    const to: { userId: UserId; eventNid: number; tweaks: string }[] = [];
    for (const userId of userIds) {
      if (userId === event.sender) continue;
      const verdict = own.get(userId);
      const notifies = verdict === undefined ? unread !== UNREAD.none : verdict.notify === 1;
      if (!notifies || (await this.#deps.accounts.ignoredUsers(userId)).has(event.sender)) continue;
      const highlights = verdict === undefined ? unread === UNREAD.highlights : verdict.highlight === 1;
      to.push({ userId, eventNid: nid, tweaks: verdict?.actions ?? (highlights ? HIGHLIGHT : NO_TWEAKS) });
    }
    return to;
  }

  /** Who is invited isn't in the room yet, so that nobody has judged the invite for them. */
  async #toInvited({ nid, event }: StoredEvent): Promise<Notice['to']> {
    if (event.type !== 'm.room.member' || readString(event.content, 'membership') !== 'invite') return [];
    const userId = parseUserId(event.stateKey ?? '');
    if (userId === undefined || this.#deps.pushers.enabledOf(userId).length === 0) return [];
    const { accounts } = this.#deps;
    if ((await accounts.ignoredUsers(userId)).has(event.sender)) return [];
    if (await accounts.hidesInvite(userId, event.sender)) return [];
    const power = powerLevels(authStateOf([]), event.rules);
    const context = { userId, memberCount: 1, powerLevels: power };
    const { notify, tweaks } = evaluatePush(this.#deps.accounts.pushRulesOf(userId), event, context);
    return notify ? [{ userId, eventNid: nid, tweaks: JSON.stringify(tweaks) }] : [];
  }

  async #audience(tx: ReadTx, roomNid: number): Promise<readonly UserId[]> {
    const { generation } = this.#deps.pushers;
    const known = this.#audiences.get(roomNid);
    if (known?.generation === generation) return known.userIds;
    const userIds = await pushedMembers(tx, roomNid);
    this.#audiences.set(roomNid, { generation, userIds });
    return userIds;
  }

  #workOf(notices: readonly Notice[]): Work {
    const rows: Work['rows'][number][] = [];
    const counted = new Set<number>();
    const mails = new Map<number, number>();
    for (const { position, to } of notices) {
      for (const { userId, eventNid, tweaks } of to) {
        for (const { id, kind } of this.#deps.pushers.enabledOf(userId)) {
          if (kind === EMAIL_KIND) {
            if (eventNid !== null && !mails.has(id) && this.#deps.emails.needsJob(id)) mails.set(id, position);
            continue;
          }
          if (eventNid === null && counted.has(id)) continue;
          counted.add(id);
          rows.push({ pusher_id: id, event_nid: eventNid, tweaks });
        }
      }
    }
    return { rows, mails };
  }

  async #enqueue(tx: WriteTx, { rows, mails }: Work): Promise<void> {
    await addToQueue(tx, rows);
    for (const pusherId of new Set(rows.map((row) => row.pusher_id))) {
      await this.#deps.jobs.enqueue(tx, DELIVER_JOB, { pusherId }, { key: String(pusherId) });
    }
    for (const [pusherId, position] of mails) await this.#deps.emails.noteIn(tx, pusherId, position);
  }
}

/** What notices come to. */
interface Work {
  readonly rows: readonly Omit<QueueRow, 'queue_id'>[];
  /** For pushers by e-mail, the position of the first event. */
  readonly mails: ReadonlyMap<number, number>;
}
