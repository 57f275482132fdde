import { z } from 'zod';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '../protocol/room-versions/index.ts';

/** `rooms`: what holds for new rooms. */
export const roomsSection = z
  .strictObject({
    default_version: z
      .enum(ROOM_VERSIONS.map(({ id }) => id))
      .prefault(DEFAULT_ROOM_VERSION)
      .meta({ description: 'The version of rooms for which the client names none.' }),
    encrypted_presets: z
      .array(z.enum(['private_chat', 'trusted_private_chat', 'public_chat']))
      .prefault([])
      .meta({ description: 'Presets whose new rooms are encrypted, whatever the client says.' }),
  })
  .prefault({})
  .meta({ description: 'What holds for new rooms.' });
