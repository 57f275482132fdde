export type { JobsDeps } from './deps.ts';
export { type Job, type JobContext, type JobDeclaration, job } from './job.ts';
export { type EnqueueOptions, Jobs } from './jobs.ts';
export { jobsMigrations } from './tables.ts';
