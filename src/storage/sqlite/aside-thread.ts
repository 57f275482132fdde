import { parentPort, workerData } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

// A worker thread: runs reads that may take long on a connection of its own, one after the other.
const database = new BetterSqlite3(String(workerData), { readonly: true });
database.pragma('busy_timeout = 5000');
database.pragma('cache_size = -8192');

const statements = new Map<string, BetterSqlite3.Statement<unknown[], unknown>>();
const STATEMENTS_MAX = 100;

interface Read {
  readonly id: number;
  readonly text: string;
  readonly parameters: readonly unknown[];
}

parentPort?.on('message', (message: Read | 'end') => {
  if (message === 'end') {
    database.close();
    parentPort?.close();
    return;
  }
  try {
    parentPort?.postMessage({ id: message.id, rows: prepared(message.text).all(...message.parameters) });
  } catch (error) {
    parentPort?.postMessage({ id: message.id, error: error instanceof Error ? error.message : String(error) });
  }
});

function prepared(text: string): BetterSqlite3.Statement<unknown[], unknown> {
  let statement = statements.get(text);
  if (statement === undefined) {
    if (statements.size >= STATEMENTS_MAX) statements.clear();
    statement = database.prepare<unknown[], unknown>(text);
    statements.set(text, statement);
  }
  return statement;
}
