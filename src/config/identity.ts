import { z } from 'zod';
import { parseServerName } from '../protocol/ids/index.ts';
import { durationMs } from './units.ts';

const server = z.strictObject({
  name: z
    .string()
    .refine((name) => parseServerName(name) !== undefined, 'expected a server name such as id.example.org')
    .meta({ description: 'Its name, as clients know it.', examples: ['id.example.org'] }),
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'Where it is, if not at https:// and its name; may be a private address.' }),
});

/** `identity`: who tells which e-mail address is whose. */
export const identitySection = z
  .strictObject({
    servers: z.array(server).prefault([]).meta({
      description:
        'The identity servers with which clients may invite people by e-mail and publish their own addresses. Without any, such requests are refused.',
    }),
    allow_any: z.boolean().prefault(false).meta({
      description:
        'Whether clients may name further identity servers. They are only reached by https, at public addresses.',
    }),
    request_timeout: durationMs({ minMs: 100 }).prefault('10s').meta({
      description: 'How long an identity server may take to answer.',
    }),
    invite_known_addresses: z.boolean().prefault(false).meta({
      description:
        'Whether an invite to an e-mail address that is confirmed for an account here invites that account, without an identity server. Everybody in the room then sees whose address it is.',
    }),
  })
  .prefault({})
  .meta({ description: 'Identity servers: who tells which e-mail address is whose.' });
