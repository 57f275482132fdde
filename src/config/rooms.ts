import { z } from 'zod';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '../protocol/room-versions/index.ts';

/** `rooms`: what holds for rooms. */
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
    forget_on_leave: z
      .boolean()
      .prefault(false)
      .meta({ description: 'Whether users forget rooms as soon as they leave them, are kicked or banned.' }),
  })
  .prefault({})
  .meta({ description: 'What holds for rooms.' });
