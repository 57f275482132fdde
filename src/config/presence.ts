import { z } from 'zod';

/** `presence`: who is online. */
export const presenceSection = z
  .strictObject({
    enabled: z.boolean().prefault(true).meta({
      description: 'Whether users see who is online. Off, everybody is offline, and nothing is computed or sent.',
    }),
  })
  .prefault({})
  .meta({ description: 'Who is online.' });
