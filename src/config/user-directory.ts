import { z } from 'zod';

/** `user_directory`: the search for users. */
export const userDirectorySection = z
  .strictObject({
    enabled: z.boolean().prefault(true).meta({ description: 'Whether users can be searched for at all.' }),
    all_local_users: z.boolean().prefault(false).meta({
      description:
        'Whether every user of this server is found. Off, only those in rooms that one shares, and in public rooms.',
    }),
  })
  .prefault({})
  .meta({ description: 'The search for users by name.' });
