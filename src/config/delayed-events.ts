import { z } from 'zod';
import { durationMs } from './units.ts';

/** `delayed_events`: events that are sent later (MSC4140). */
export const delayedEventsSection = z
  .strictObject({
    delay_max: durationMs().prefault('1d').meta({
      description: 'The longest delay that clients may ask for; 0s forbids delayed events. Calls need an hour.',
    }),
    per_user_max: z.int().min(1).max(10_000).prefault(100).meta({
      description: 'How many of them a user may have scheduled.',
    }),
  })
  .prefault({})
  .meta({ description: 'Events that are sent later, by which calls notice that somebody is gone (MSC4140).' });
