import { parentPort, workerData } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

// A worker thread: each message asks for one checkpoint, answered by the number of pages left to copy.
const database = new BetterSqlite3(String(workerData));
database.pragma('busy_timeout = 1000');
database.pragma('synchronous = FULL');

parentPort?.on('message', (message: unknown) => {
  if (message === 'end') {
    database.close();
    parentPort?.close();
    return;
  }
  // PASSIVE never makes a reader or the writer wait.
  const rows: unknown = database.pragma('wal_checkpoint(PASSIVE)');
  parentPort?.postMessage(pagesLeft(rows));
});

function pagesLeft(rows: unknown): number {
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  if (typeof row !== 'object' || row === null || !('log' in row) || !('checkpointed' in row)) return 0;
  return Number(row.log) - Number(row.checkpointed);
}
