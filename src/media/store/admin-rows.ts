/** Questions that only administrators ask: whose files there are, how many, how old. */
import { type Expression, sql } from 'kysely';
import type { RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx, WriteTx } from '../../storage/index.ts';
import type { MediaRow } from './media-rows.ts';

/** By what a list of files can be ordered, and the columns behind. */
export const MEDIA_ORDERS = {
  media_id: 'media_id',
  upload_name: 'file_name',
  created_ts: 'created_ts',
  last_access_ts: 'last_access_ts',
  media_length: 'size_bytes',
  media_type: 'content_type',
  quarantined_by: 'quarantined_by',
  safe_from_quarantine: 'is_protected',
} as const satisfies Record<string, keyof MediaRow>;

export type MediaOrder = keyof typeof MEDIA_ORDERS;

export interface MediaListing {
  readonly orderBy: MediaOrder;
  readonly direction: 'asc' | 'desc';
  readonly offset: number;
  readonly limit: number;
}

/** A page of what a user has uploaded, and how many files there are in all. */
export async function listMediaOf(tx: ReadTx, userId: string, { orderBy, direction, offset, limit }: MediaListing) {
  const ofUser = tx.db.selectFrom('media').where('uploader', '=', userId).where('sha256', 'is not', null);
  const rows: readonly MediaRow[] = await ofUser
    .selectAll()
    .orderBy(MEDIA_ORDERS[orderBy], direction)
    .orderBy('media_nid', direction)
    .offset(offset)
    .limit(limit)
    .execute();
  const counted = await ofUser.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return { rows, total: Number(counted.count) };
}

/** Files of a server that nobody asked for since `beforeTs` and that are larger than `bytesMin`, in the order of their rows. */
export function listOldMedia(
  tx: ReadTx,
  wanted: { origin: string; isOurs: boolean; beforeTs: number; bytesMin: number; afterNid: number; limit: number },
): Promise<readonly MediaRow[]> {
  return tx.db
    .selectFrom('media')
    .selectAll()
    .where('origin', wanted.isOurs ? '=' : '!=', wanted.origin)
    .where('media_nid', '>', wanted.afterNid)
    .where('last_access_ts', '<', wanted.beforeTs)
    .where('size_bytes', '>', wanted.bytesMin)
    .where('sha256', 'is not', null)
    .where('is_protected', '=', 0)
    .$if(!wanted.isOurs, (query) => query.where('is_quarantined', '=', 0))
    .orderBy('media_nid')
    .limit(wanted.limit)
    .execute();
}

/** Hides or shows a file; false where there is none, or it is protected from being hidden. */
export async function setQuarantine(
  tx: WriteTx,
  { origin, mediaId }: { readonly origin: string; readonly mediaId: string },
  by: string | null,
): Promise<boolean> {
  const result = await tx.db
    .updateTable('media')
    .set({ is_quarantined: by === null ? 0 : 1, quarantined_by: by })
    .where('media_id', '=', mediaId)
    .where('origin', '=', origin)
    .$if(by !== null, (query) => query.where('is_protected', '=', 0))
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Hides all that a user has uploaded and that isn't protected; gives how many files were not hidden before. */
export async function quarantineMediaOf(tx: WriteTx, userId: string, by: string): Promise<number> {
  const result = await tx.db
    .updateTable('media')
    .set({ is_quarantined: 1, quarantined_by: by })
    .where('uploader', '=', userId)
    .where('is_protected', '=', 0)
    .where('is_quarantined', '=', 0)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** By what the statistics of users can be ordered. */
export const USER_ORDERS = ['user_id', 'displayname', 'media_length', 'media_count'] as const;

export interface UserStatisticsQuery {
  readonly orderBy: (typeof USER_ORDERS)[number];
  readonly direction: 'asc' | 'desc';
  readonly offset: number;
  readonly limit: number;
  readonly fromTs: number;
  readonly untilTs: number;
  /** Part of the user id or of the display name. */
  readonly search: string | undefined;
}

/** How much each user has uploaded in a time: a page, and how many users there are in all. */
export async function mediaStatistics(tx: ReadTx, query: UserStatisticsQuery) {
  const { search, orderBy, direction, offset, limit } = query;
  const pattern = `%${(search ?? '').toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
  const matching = tx.db
    .selectFrom('media')
    .leftJoin('profiles', 'profiles.user_id', 'media.uploader')
    .where('media.uploader', 'is not', null)
    .where('media.sha256', 'is not', null)
    .where('media.created_ts', '>=', query.fromTs)
    .where('media.created_ts', '<=', query.untilTs)
    .$if(search !== undefined, (rows) =>
      rows.where((eb) =>
        eb.or([isLike(eb.ref('media.uploader'), pattern), isLike(eb.ref('profiles.displayname'), pattern)]),
      ),
    );
  const rows = await matching
    .select(({ fn }) => [
      'media.uploader as user_id',
      'profiles.displayname',
      fn.sum<number>('media.size_bytes').as('media_length'),
      fn.countAll<number>().as('media_count'),
    ])
    .groupBy(['media.uploader', 'profiles.displayname'])
    .orderBy(orderBy, direction)
    .orderBy('user_id', direction)
    .offset(offset)
    .limit(limit)
    .execute();
  const counted = await matching
    .select(({ fn }) => fn.count<number>('media.uploader').distinct().as('count'))
    .executeTakeFirstOrThrow();
  const users = rows.map((row) => {
    return { ...row, media_length: Number(row.media_length), media_count: Number(row.media_count) };
  });
  return { users, total: Number(counted.count) };
}

/** Whether a column has a part like `pattern`, in which a backslash takes the meaning from `%` and `_`. */
function isLike(column: Expression<string | null>, pattern: string) {
  return sql<boolean>`lower(${column}) like ${pattern} escape '\\'`;
}

/** Events of a room that mention files, in no particular order: their JSON. */
export async function listMentionsIn(tx: ReadTx, roomId: RoomId, afterNid: number, limit: number) {
  return tx.db
    .selectFrom('events')
    .innerJoin('rooms', 'rooms.room_nid', 'events.room_nid')
    .select(['events.nid', 'events.json'])
    .where('rooms.room_id', '=', roomId)
    .where('events.nid', '>', afterNid)
    .where('events.json', 'like', '%mxc://%')
    .orderBy('events.nid')
    .limit(limit)
    .execute();
}
