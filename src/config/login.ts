import { z } from 'zod';
import { durationMs, sizeBytes } from './units.ts';

/** `login`: passwords and access tokens. */
export const loginSection = z
  .strictObject({
    password: z.boolean().prefault(true).meta({
      description:
        'Whether passwords are taken: for logging in, for confirming what is delicate, and for registering. false is for organisations whose people all come by single sign-on (section sso).',
    }),
    password_length_min: z.int().min(1).max(512).prefault(1).meta({
      description:
        'The fewest characters of a new password. Any is taken by default, since clients check it too; 8 is a good choice for a public server.',
    }),
    password_hash: z
      .strictObject({
        memory: sizeBytes({ minBytes: 8 * 1024, maxBytes: 2 ** 32 }).prefault('19M'),
        iterations: z.int().min(1).max(1000).prefault(2),
        parallelism: z.int().min(1).max(64).prefault(1),
      })
      .prefault({})
      .meta({
        description: 'The cost of argon2id, which hashes passwords. The defaults are those that OWASP recommends.',
      }),
    access_token_lifetime: durationMs({ minMs: 1000 }).prefault('1h').meta({
      description:
        'How long an access token lives that can be refreshed. Those of clients that never refresh do not expire.',
    }),
    refresh_token_lifetime: durationMs({ minMs: 1000 })
      .optional()
      .meta({
        description: 'How long a refresh token lives from its last use. Without it: for good.',
        examples: ['90d'],
      }),
    query_tokens: z.boolean().prefault(false).meta({
      description:
        'Takes access tokens from the address of a request too (?access_token=), for old bots. Off, since the specification forbids it now: addresses end up in logs.',
    }),
  })
  .prefault({})
  .meta({ description: 'Passwords and access tokens.' });
