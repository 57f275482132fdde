/** Structured logs. Log objects first, never content or tokens: `log.info({ roomId, eventId }, 'event persisted')`. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** A file to append to; standard output without it. */
  readonly file?: string | undefined;
}

/**
 * The root logger; each part takes a child of it: `logger.child({ part: 'rooms' })`. One JSON object a line, with `time`
 * in ISO 8601 and `level` as a word.
 */
export function createLogger(options: LogOptions, destination?: DestinationStream): Logger {
  const to =
    destination ?? pino.destination(options.file === undefined ? { dest: 1 } : { dest: options.file, mkdir: true });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    to,
  );
}

/** Logs nothing; for tests and tools. */
export const silentLogger: Logger = pino({ level: 'silent' });
