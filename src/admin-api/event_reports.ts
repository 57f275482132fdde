/** What users reported: events, users and rooms, with what became of each report. */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { queryInteger, queryLimit, roomIdSchema, userIdSchema } from '../http/schema.ts';
import { REPORT_STATUSES, type Report, type ReportKind, type Reports } from '../moderation/index.ts';
import { notFound } from '../protocol/errors.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const statusSchema = z.enum(REPORT_STATUSES);
const listQuery = z.object({
  from: queryInteger().optional(),
  limit: queryLimit({ max: LIMIT_MAX }).optional(),
  dir: z.enum(['f', 'b']).optional(),
  /** Who reported. */
  user_id: z.string().optional(),
  room_id: z.string().optional(),
  event_sender_user_id: z.string().optional(),
  target_user_id: z.string().optional(),
  status: statusSchema.optional(),
});
const params = z.object({ reportId: queryInteger() });
const change = z.object({
  status: statusSchema.optional(),
  /** The administrator who looks after it; null for nobody. */
  assignee: userIdSchema.nullable().optional(),
});

/** Where reports of a kind are served. */
interface Kind {
  readonly kind: ReportKind;
  readonly path: 'event_reports' | 'user_reports' | 'room_reports';
  readonly name: 'Event' | 'User' | 'Room';
  readonly spec: string;
}

const DOCS = 'https://element-hq.github.io/synapse/latest/admin_api';
const KINDS: readonly Kind[] = [
  { kind: 'event', path: 'event_reports', name: 'Event', spec: `${DOCS}/event_reports.html` },
  { kind: 'user', path: 'user_reports', name: 'User', spec: `${DOCS}/user_reports.html` },
  // Ours: Synapse stores reports of rooms, but has no address for them.
  { kind: 'room', path: 'room_reports', name: 'Room', spec: `${DOCS}/event_reports.html` },
];

/** Lists, shows, changes (ours: `PUT`) and deletes reports, as in Synapse's admin API. */
export function adminReportsRoutes({ reports, rooms }: { reports: Reports; rooms: Rooms }): Route[] {
  async function getReport(kind: ReportKind, reportId: number): Promise<Report> {
    const report = await reports.find(reportId);
    if (report?.kind !== kind) throw notFound('No such report');
    return report;
  }

  async function reportJson(report: Report): Promise<JsonObject> {
    const common = {
      id: report.report_id,
      received_ts: report.received_ts,
      user_id: report.reporter,
      reason: report.reason,
      status: report.status,
      assignee: report.assignee,
    };
    if (report.kind === 'user') return { ...common, target_user_id: report.user_id };
    const digest = await digestOf(report.room_id);
    const room = {
      room_id: report.room_id,
      name: digest?.name ?? null,
      canonical_alias: digest?.canonical_alias ?? null,
    };
    if (report.kind === 'room') return { ...common, ...room };
    return { ...common, ...room, event_id: report.event_id, sender: report.user_id, score: report.score };
  }

  async function digestOf(id: string | null) {
    const roomId = roomIdSchema.safeParse(id);
    return roomId.success ? (await rooms.snapshot(roomId.data))?.digest : undefined;
  }

  return KINDS.flatMap(({ kind, path, name, spec }) => [
    route({
      method: 'GET',
      path: `/_synapse/admin/v1/${path}`,
      operationId: `adminList${name}Reports`,
      spec,
      auth: 'admin',
      query: listQuery,
      handle: async ({ query }) => {
        const { from = 0, limit = LIMIT_DEFAULT, dir = 'b' } = query;
        const page = await reports.list({
          kind,
          from,
          limit,
          dir,
          reporter: query.user_id,
          roomId: query.room_id,
          userId: query.event_sender_user_id ?? query.target_user_id,
          status: query.status,
        });
        const next = from + page.reports.length;
        return {
          [path]: await Promise.all(page.reports.map(reportJson)),
          ...(next < page.total && page.reports.length > 0 ? { next_token: next } : {}),
          total: page.total,
        };
      },
    }),
    route({
      method: 'GET',
      path: `/_synapse/admin/v1/${path}/{reportId}`,
      operationId: `adminGet${name}Report`,
      spec,
      auth: 'admin',
      params,
      handle: async ({ params: { reportId } }) => {
        const report = await getReport(kind, reportId);
        const json = await reportJson(report);
        return report.event_json === null ? json : { ...json, event_json: JSON.parse(report.event_json) };
      },
    }),
    route({
      method: 'PUT',
      path: `/_synapse/admin/v1/${path}/{reportId}`,
      operationId: `adminChange${name}Report`,
      spec,
      auth: 'admin',
      params,
      body: change,
      handle: async ({ params: { reportId }, body: { status, assignee } }) => {
        await getReport(kind, reportId);
        await reports.update(reportId, {
          ...(status === undefined ? {} : { status }),
          ...(assignee === undefined ? {} : { assignee }),
        });
        return reportJson(await getReport(kind, reportId));
      },
    }),
    route({
      method: 'DELETE',
      path: `/_synapse/admin/v1/${path}/{reportId}`,
      operationId: `adminDelete${name}Report`,
      spec,
      auth: 'admin',
      params,
      handle: async ({ params: { reportId } }) => {
        await getReport(kind, reportId);
        await reports.delete(reportId);
        return {};
      },
    }),
  ]);
}
