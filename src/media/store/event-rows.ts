/**
 * What files are used for, read from tables of other domains: events, profiles and account data. Rooms stand above media and can't be
 * imported; their tables' names and these columns are fixed by contract.
 */
import type { EventId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList } from '../../storage/index.ts';

/** An event as far as files are concerned. */
export interface ReferringEvent {
  /** In the stream 'events'. */
  readonly position: number;
  readonly eventId: string;
  readonly sender: string;
  /** Its JSON as it is now. */
  readonly json: string;
  /** The event that this one has redacted, undefined where there is none. */
  readonly redacted: string | undefined;
}

interface Stretch {
  readonly from: number;
  readonly upTo: number;
  readonly limit: number;
}

const eventsBetween = compiledOnce<Stretch>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'event_id', 'position', 'type', 'sender', 'json'])
    .where('position', '>', p('from'))
    .where('position', '<=', p('upTo'))
    .where('rejected', '=', 0)
    .orderBy('position')
    .limit(p('limit')),
);

/** Events in the order of the stream. */
export async function listReferringEvents(tx: ReadTx, stretch: Stretch): Promise<readonly ReferringEvent[]> {
  const rows = await tx.run(eventsBetween, stretch);
  const redactions = rows.filter((row) => row.type === 'm.room.redaction').map((row) => row.event_id);
  const redacted = await redactedBy(tx, redactions);
  return rows.map((row) => ({
    position: row.position ?? 0,
    eventId: row.event_id,
    sender: row.sender,
    json: row.json,
    redacted: redacted.get(row.event_id),
  }));
}

/** What redactions have redacted: those that were not allowed are left out. */
async function redactedBy(tx: ReadTx, redactionIds: readonly EventId[]): Promise<ReadonlyMap<string, string>> {
  if (redactionIds.length === 0) return new Map();
  const rows = await tx.db
    .selectFrom('redactions')
    .innerJoin('events as redaction', 'redaction.nid', 'redactions.event_nid')
    .innerJoin('events as target', 'target.event_id', 'redactions.redacts')
    .select(['redaction.event_id as by', 'target.event_id as target'])
    .where('redaction.event_id', 'in', textList(redactionIds))
    .where('target.redacted_by', 'is not', null)
    .execute();
  return new Map(rows.map((row): readonly [string, string] => [row.by, row.target]));
}

/** Whether a file is the avatar of a user or a room. */
export async function isAvatar(tx: ReadTx, mxc: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom('profiles')
    .select('user_id')
    .where('avatar_url', '=', mxc)
    .limit(1)
    .executeTakeFirst();
  if (row !== undefined) return true;
  const room = await tx.db
    .selectFrom('rooms')
    .select('room_nid')
    .where('avatar_url', '=', mxc)
    .limit(1)
    .executeTakeFirst();
  return room !== undefined;
}

/** Whether account data of a user mention a file: a pack of stickers, for instance. */
export async function isInAccountData(tx: ReadTx, userId: string, mxc: string): Promise<boolean> {
  const rows = await tx.db.selectFrom('account_data').select('content').where('user_id', '=', userId).execute();
  return rows.some((row) => row.content.includes(mxc));
}
