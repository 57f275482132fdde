/** Moderation: what users report. */
export { type ReportBy, Reports } from './reports.ts';
export { moderationMigrations, REPORT_STATUSES, type Report, type ReportKind, type ReportStatus } from './store.ts';
