import { z } from 'zod';
import { durationMs } from './units.ts';

const smtp = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .meta({ examples: ['mail.example.org'] }),
    port: z.int().min(1).max(65535).prefault(587),
    tls: z.enum(['starttls', 'tls', 'none']).prefault('starttls').meta({
      description: 'starttls: must change to TLS; tls: TLS from the start (port 465); none: only within one machine.',
    }),
    user: z.string().optional(),
    password: z.string().optional(),
  })
  .optional()
  .meta({ description: 'The mail server. Without it nobody can add an e-mail address or reset a password by e-mail.' });

/** `email`: messages to e-mail addresses. */
export const emailSection = z
  .strictObject({
    smtp,
    from: z
      .string()
      .min(3)
      .prefault('Inglenook <noreply@localhost>')
      .meta({ description: 'The sender of messages.', examples: ['Example <noreply@example.org>'] }),
    app_name: z.string().min(1).prefault('Matrix').meta({ description: 'What messages call this service.' }),
    notifications: z
      .strictObject({
        enabled: z.boolean().prefault(true).meta({ description: 'Whether users may ask for them.' }),
        include_content: z.boolean().prefault(true).meta({
          description:
            'Whether mails show room names, senders and messages, as far as these are not encrypted. Off, they only say how many there are.',
        }),
        delay: durationMs({ minMs: 1000 }).prefault('10m').meta({
          description: 'How long a message must have been unread before a mail tells of it.',
        }),
        pause_max: durationMs({ minMs: 60_000 }).prefault('24h').meta({
          description:
            'The longest pause between two mails about a room in which the user reads nothing; each pause is longer than the one before.',
        }),
      })
      .prefault({})
      .meta({ description: 'Mails about missed messages, for users whose client has asked for them.' }),
    changes_by_users: z.boolean().prefault(true).meta({
      description:
        'Whether users may add and remove addresses of their accounts. Off where a directory says what they are.',
    }),
    token_lifetime: durationMs({ minMs: 60_000 }).prefault('1h').meta({
      description: 'How long the link in a message can be followed.',
    }),
  })
  .prefault({})
  .meta({ description: 'E-mail: addresses of accounts, and forgotten passwords.' });
