import { z } from 'zod';

/** `rooms`: what holds for new rooms. */
export const roomsSection = z
  .strictObject({
    default_version: z
      .enum(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])
      .prefault('12')
      .meta({ description: 'The version of rooms for which the client names none.' }),
    encrypted_presets: z
      .array(z.enum(['private_chat', 'trusted_private_chat', 'public_chat']))
      .prefault([])
      .meta({ description: 'Presets whose new rooms are encrypted, whatever the client says.' }),
  })
  .prefault({})
  .meta({ description: 'What holds for new rooms.' });
