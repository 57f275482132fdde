/** Moderation: what users report, and what the server says to them. */

export { serverNoticesMigrations } from './notices-store.ts';
export { type ReportBy, Reports } from './reports.ts';
export { type ServerNotice, ServerNotices, type UsageLimit } from './server-notices.ts';
export { moderationMigrations, REPORT_STATUSES, type Report, type ReportKind, type ReportStatus } from './store.ts';
