/** Reports of events, rooms and users. */
import type { Generated, Selectable } from 'kysely';
import { idColumn, type Migrations, type ReadTx, type Tables, type WriteTx } from '../storage/index.ts';

export type ReportKind = 'event' | 'room' | 'user';
export const REPORT_STATUSES = ['open', 'resolved', 'dismissed'] as const;
export type ReportStatus = (typeof REPORT_STATUSES)[number];

declare module '../storage/tables.ts' {
  interface Tables {
    reports: {
      readonly report_id: Generated<number>;
      readonly received_ts: number;
      readonly reporter: string;
      readonly kind: ReportKind;
      readonly room_id: string | null;
      readonly event_id: string | null;
      /** The user who is reported, or who sent the event. */
      readonly user_id: string | null;
      readonly reason: string;
      /** Of old clients: from -100, the worst, to 0. */
      readonly score: number | null;
      /** The event as it was when it was reported, as canonical JSON. */
      readonly event_json: string | null;
      readonly status: ReportStatus;
      /** The administrator who looks after it. */
      readonly assignee: string | null;
    };
  }
}

export const moderationMigrations: Migrations = {
  '0720_moderation_reports': {
    async up({ schema }) {
      await schema
        .createTable('reports')
        .addColumn('report_id', 'integer', idColumn)
        .addColumn('received_ts', 'integer', (c) => c.notNull())
        .addColumn('reporter', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('room_id', 'text')
        .addColumn('event_id', 'text')
        .addColumn('user_id', 'text')
        .addColumn('reason', 'text', (c) => c.notNull())
        .addColumn('score', 'integer')
        .addColumn('event_json', 'text')
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('assignee', 'text')
        .execute();
    },
  },
};

/** A report as it is stored. */
export type Report = Selectable<Tables['reports']>;

export async function insertReport(tx: WriteTx, report: Omit<Report, 'report_id'>): Promise<number> {
  const row = await tx.db.insertInto('reports').values(report).returning('report_id').executeTakeFirstOrThrow();
  return row.report_id;
}

export function findReport(tx: ReadTx, reportId: number): Promise<Report | undefined> {
  return tx.db.selectFrom('reports').selectAll().where('report_id', '=', reportId).executeTakeFirst();
}

/** Which reports to list. */
export interface ReportRange {
  readonly kind: ReportKind | undefined;
  readonly from: number;
  readonly limit: number;
  readonly dir: 'f' | 'b';
  /** Only reports by this user. */
  readonly reporter?: string | undefined;
  readonly roomId?: string | undefined;
  /** Only reports of this user, or of what they sent. */
  readonly userId?: string | undefined;
  readonly status?: ReportStatus | undefined;
}

/** A page of reports in the order in which they came, or the newest first, and how many there are in all. */
export async function listReports(
  tx: ReadTx,
  { kind, from, limit, dir, reporter, roomId, userId, status }: ReportRange,
): Promise<{ readonly reports: readonly Report[]; readonly total: number }> {
  const wanted = Object.entries({ kind, reporter, room_id: roomId, user_id: userId, status });
  const of = () =>
    tx.db
      .selectFrom('reports')
      .where((eb) => eb.and(Object.fromEntries(wanted.filter(([, value]) => value !== undefined))));
  const reports = await of()
    .selectAll()
    .orderBy('report_id', dir === 'b' ? 'desc' : 'asc')
    .limit(limit)
    .offset(from)
    .execute();
  const { total } = await of()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return { reports, total: Number(total) };
}

/** Changes a report; false where there is none. */
export async function updateReport(
  tx: WriteTx,
  reportId: number,
  change: Partial<Pick<Report, 'status' | 'assignee'>>,
): Promise<boolean> {
  const result = await tx.db.updateTable('reports').set(change).where('report_id', '=', reportId).executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Deletes a report; false where there is none. */
export async function deleteReport(tx: WriteTx, reportId: number): Promise<boolean> {
  const result = await tx.db.deleteFrom('reports').where('report_id', '=', reportId).executeTakeFirst();
  return Number(result.numDeletedRows) > 0;
}
