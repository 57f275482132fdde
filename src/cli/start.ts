/** `inglenook start`: runs the server until it is told to stop. */
import { flushCompileCache } from 'node:module';
import type { Config } from '../config/index.ts';
import { type Homeserver, startHomeserver } from '../homeserver.ts';
import { createLogger, type Logger } from '../telemetry/log.ts';
import { VERSION } from '../version.ts';
import { configFor } from './config-file.ts';

/** Starts the server and resolves when it runs. The process then lives until a signal. */
export async function start(configFile: string | undefined): Promise<void> {
  const { config, file } = await configFor(configFile);
  const logger = createLogger(config.logging);
  endOnUncaught(logger);
  const stop = listenForSignals(logger);
  const homeserver = await startHomeserver(config, { logger, firstLocalUserIsAdmin: file === undefined });
  console.error(greeting(homeserver, file));
  // Kept now, so that the next start is quick even if this process is killed.
  setTimeout(flushCompileCache, 1000).unref();
  await stop;
  await homeserver[Symbol.asyncDispose]();
  logger.info('stopped');
  logger.flush();
  // A library's timer or an idle connection must not keep a stopped server alive.
  process.exit(0);
}

/** A broken invariant outside of any request: the state of the process is unknown, so it ends. */
function endOnUncaught(logger: Logger): void {
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    logger.flush();
    process.exit(1);
  });
}

/**
 * Resolves at the first SIGTERM or SIGINT; the second one ends the process at once. The handlers are explicit since the
 * kernel ignores signals without one for process 1 of a namespace.
 */
function listenForSignals(logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(130);
        isStopping = true;
        logger.info({ signal }, 'stopping');
        resolve();
      });
    }
  });
}

function greeting({ config, listeners }: Homeserver, file: string | undefined): string {
  const { server, database } = config;
  const pages = listeners.find(({ resources }) => resources.includes('web'))?.url;
  const where = database.type === 'sqlite' ? database.sqlite.file : `PostgreSQL at ${database.postgres.host}`;
  return [
    `Inglenook ${VERSION} runs as ${server.name}`,
    ...listeners.map(({ url, resources }) => `  ${url}  ${resources.join(', ')}`),
    `  data: ${server.data_folder}; database: ${where}`,
    `  configuration: ${file ?? 'none, everything is default (npm start -- config sample > config.yaml makes one)'}`,
    nextStep(config, pages),
  ].join('\n');
}

function nextStep({ registration }: Config, pages: string | undefined): string {
  const cli = 'npm start -- user create NAME --admin';
  if (pages === undefined || registration.open_to === 'nobody') return `Next: make an account with  ${cli}`;
  return `Next: open ${pages}/ in a browser and make the first account (or: ${cli})`;
}
