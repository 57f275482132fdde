import { z } from 'zod';

/** `logging`: what is written where. */
export const loggingSection = z
  .strictObject({
    level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info').meta({
      description: 'The least serious entries that are written.',
    }),
    file: z.string().min(1).optional().meta({
      description: 'A file to append to. Without it the log goes to standard output.',
    }),
  })
  .prefault({})
  .meta({ description: 'The log: one JSON object a line, without content of messages and without tokens.' });
