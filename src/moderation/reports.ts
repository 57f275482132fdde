import type { Clock } from '../clock.ts';
import { MatrixError, notFound } from '../protocol/errors.ts';
import type { EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import {
  deleteReport,
  findReport,
  insertReport,
  listReports,
  type Report,
  type ReportRange,
  updateReport,
} from './store.ts';

/** Who reports, and why. */
export interface ReportBy {
  readonly reporter: UserId;
  readonly reason: string;
  readonly score?: number | undefined;
}

/** Longer reasons are cut. */
const REASON_CHARS_MAX = 10_000;

/** What users report to the administrators. Spec: client-server-api/#reporting-content */
export class Reports {
  readonly #database: Database;
  readonly #rooms: Rooms;
  readonly #clock: Clock;

  constructor({ database, rooms, clock }: { database: Database; rooms: Rooms; clock: Clock }) {
    this.#database = database;
    this.#rooms = rooms;
    this.#clock = clock;
  }

  /**
   * Reports an event; a copy of it is kept, so that a redaction doesn't hide it from the administrators.
   * @throws M_NOT_FOUND where the reporter doesn't see it
   */
  async reportEvent(roomId: RoomId, eventId: EventId, by: ReportBy): Promise<number> {
    const { reads, reading } = this.#rooms;
    await reads.assertJoined(roomId, by.reporter).catch((error: unknown) => {
      throw error instanceof MatrixError
        ? notFound('The event was not found or you are not joined to the room.')
        : error;
    });
    await reads.event({ roomId, eventId, viewer: { userId: by.reporter, deviceId: undefined } });
    const [stored] = await reading.database.read((tx) => reading.events.byIds(tx, [eventId]));
    if (stored === undefined) throw notFound('The event was not found or you are not joined to the room.');
    const { event } = stored;
    return this.#add(by, {
      kind: 'event',
      room_id: roomId,
      event_id: eventId,
      user_id: event.sender,
      event_json: event.json,
    });
  }

  /** Reports a room; unknown ones are reported in silence, so that nobody finds out which there are. */
  async reportRoom(roomId: RoomId, by: ReportBy): Promise<void> {
    if ((await this.#rooms.snapshot(roomId)) === undefined) return;
    await this.#add(by, { kind: 'room', room_id: roomId, event_id: null, user_id: null, event_json: null });
  }

  /** Reports a user. Who isn't known here is the caller's to know. */
  async reportUser(userId: UserId, by: ReportBy): Promise<void> {
    await this.#add(by, { kind: 'user', room_id: null, event_id: null, user_id: userId, event_json: null });
  }

  /** A page of reports, for administrators. */
  list(range: ReportRange): Promise<{ readonly reports: readonly Report[]; readonly total: number }> {
    return this.#database.read((tx) => listReports(tx, range));
  }

  find(reportId: number): Promise<Report | undefined> {
    return this.#database.read((tx) => findReport(tx, reportId));
  }

  /** @throws M_NOT_FOUND */
  async update(reportId: number, change: Partial<Pick<Report, 'status' | 'assignee'>>): Promise<void> {
    const found = await this.#database.write('main', (tx) => updateReport(tx, reportId, change));
    if (!found) throw notFound('No such report');
  }

  /** @throws M_NOT_FOUND */
  async delete(reportId: number): Promise<void> {
    if (!(await this.#database.write('main', (tx) => deleteReport(tx, reportId)))) throw notFound('No such report');
  }

  #add(
    { reporter, reason, score }: ReportBy,
    what: Pick<Report, 'kind' | 'room_id' | 'event_id' | 'user_id' | 'event_json'>,
  ): Promise<number> {
    const report: Omit<Report, 'report_id'> = {
      ...what,
      received_ts: this.#clock.now(),
      reporter,
      reason: reason.slice(0, REASON_CHARS_MAX),
      score: score ?? null,
      status: 'open',
      assignee: null,
    };
    return this.#database.write('main', (tx) => insertReport(tx, report));
  }
}
