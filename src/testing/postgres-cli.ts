import { once } from 'node:events';
import { startTestPostgres } from './postgres.ts';

// Prints the URL of a PostgreSQL for tests and keeps it until SIGTERM, SIGINT or the end of standard input:
//   node src/testing/postgres-cli.ts
await using postgres = await startTestPostgres();
process.stdout.write(`${postgres.url}\n`);
process.stdin.resume();
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT'), once(process.stdin, 'end')]);
process.stdin.destroy();
