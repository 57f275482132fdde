import { z } from 'zod';
import { parseKeyId, parseServerName } from '../protocol/ids/index.ts';
import { durationMs } from './units.ts';

const serverName = z
  .string()
  .refine((name) => parseServerName(name) !== undefined, 'expected a server name such as matrix.org');

const oldKey = z.strictObject({
  key_id: z
    .string()
    .refine((id) => parseKeyId(id) !== undefined, 'expected a key id such as ed25519:a_1')
    .meta({ description: 'The id of the key.', examples: ['ed25519:a_1'] }),
  public_key: z.string().min(1).meta({ description: 'Its public part in unpadded base64.' }),
  expired_ts: z.int().min(0).meta({ description: 'When it was last used, in milliseconds since the epoch.' }),
});

/** `federation`: how this server talks to others. */
export const federationSection = z
  .strictObject({
    enabled: z.boolean().prefault(true).meta({ description: 'Whether this server talks to other servers at all.' }),
    allowed_servers: z.array(serverName).optional().meta({
      description: 'The only servers to talk to. Without it, all but the denied ones.',
    }),
    denied_servers: z.array(serverName).prefault([]).meta({ description: 'Servers never to talk to.' }),
    allow_private_addresses: z.boolean().prefault(false).meta({
      description:
        'Whether servers may be reached at private and loopback addresses. Only for tests and closed networks: other users choose the names that this server connects to.',
    }),
    ca_file: z.string().min(1).optional().meta({
      description: "A file with certificates (PEM) of further authorities that vouch for other servers' certificates.",
    }),
    source_address: z
      .union([z.ipv4(), z.ipv6()])
      .optional()
      .meta({
        description: 'The address of this machine from which other servers are called. Without it, the system chooses.',
        examples: ['192.0.2.10'],
      }),
    profile_lookups: z.enum(['everyone', 'shared_rooms', 'nobody']).prefault('everyone').meta({
      description:
        'Whose profiles other servers may look up: everyone, users with whom they share a room, or nobody. Members of a room see each other in any case.',
    }),
    trusted_key_servers: z.array(serverName).prefault([]).meta({
      description: 'Servers that are asked for the keys of servers which cannot be reached themselves.',
    }),
    old_signing_keys: z.array(oldKey).prefault([]).meta({
      description: 'Keys that signed events of this server before and no longer do.',
    }),
    partial_joins: z.boolean().prefault(true).meta({
      description:
        'Whether rooms of other servers are joined without most of their members, which are fetched afterwards: large rooms can be used in seconds.',
    }),
    request_timeout: durationMs({ minMs: 1000 }).prefault('30s').meta({
      description: 'How long another server may take to answer; joining a room may take longer.',
    }),
  })
  .prefault({})
  .meta({ description: 'How this server talks to others.' });
