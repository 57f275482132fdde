import { z } from 'zod';

/** `push`: notifications through push gateways. */
export const pushSection = z
  .strictObject({
    include_content: z.boolean().prefault(true).meta({
      description:
        'Whether gateways get sender, room name and content of messages, where a client asks for it. Off, they only get ids, and the client fetches the rest.',
    }),
    encrypted_events: z.boolean().prefault(false).meta({
      description:
        'Adds a push rule that notifies of every encrypted message (MSC4028), so that clients which know it find mentions and keywords in encrypted rooms set to those only. Other clients show higher unread counts in such rooms.',
    }),
    private_gateways: z.boolean().prefault(false).meta({
      description:
        'Whether push gateways may be on private addresses and without TLS. Only for gateways of your own: anybody with an account names addresses that this server then calls.',
    }),
  })
  .prefault({})
  .meta({ description: 'Notifications on telephones, through push gateways.' });
