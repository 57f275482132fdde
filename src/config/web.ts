import { z } from 'zod';

/** `web`: what a browser sees. */
export const webSection = z
  .strictObject({
    client: z.boolean().prefault(true).meta({ description: 'Whether the web client is served at /_web/.' }),
  })
  .prefault({})
  .meta({
    description: 'What a browser sees. The start page at / is served wherever a listener has the resource web.',
  });
