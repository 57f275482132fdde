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
    token_lifetime: durationMs({ minMs: 60_000 }).prefault('1h').meta({
      description: 'How long the link in a message can be followed.',
    }),
  })
  .prefault({})
  .meta({ description: 'E-mail: addresses of accounts, and forgotten passwords.' });
