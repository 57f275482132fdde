/** Where the process begins: argv -> command. Everything else is loaded when a command needs it. */
import { enableCompileCache } from 'node:module';

// Types are stripped and code is compiled once, not at every start.
enableCompileCache(process.env.INGLENOOK_COMPILE_CACHE);

// Files are read, written and synced in these threads: with the usual four, uploads would wait for each other's disk flushes.
process.env.UV_THREADPOOL_SIZE ??= '8';

const { runCli } = await import('./cli/program.ts');
await runCli(process.argv.slice(2));
