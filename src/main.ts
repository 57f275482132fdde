/** Where the process begins: argv -> command. Everything else is loaded when a command needs it. */
import { enableCompileCache } from 'node:module';

// Types are stripped and code is compiled once, not at every start.
enableCompileCache(process.env.INGLENOOK_COMPILE_CACHE);

const { runCli } = await import('./cli/program.ts');
await runCli(process.argv.slice(2));
