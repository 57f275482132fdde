import { z } from 'zod';
import { parseServerName } from '../protocol/ids/index.ts';

/** `server`: who this server is. */
export const serverSection = z
  .strictObject({
    name: z
      .string()
      .refine((name) => parseServerName(name) !== undefined, 'expected a host name, with a port if need be')
      .prefault('localhost')
      .meta({
        description:
          'The name behind the colon of user ids (@alice:NAME). It is part of every id and signature: choose it before the first start, since it cannot be changed afterwards.',
        examples: ['example.org'],
      }),
    public_url: z
      .url({ protocol: /^https?$/, error: 'expected an address that begins with https:// (or http://)' })
      .optional()
      .meta({
        description: 'The address under which clients reach this server. Without it, clients are told none.',
        examples: ['https://matrix.example.org'],
      }),
    data_folder: z.string().min(1).prefault('./data').meta({
      description:
        "The folder for the database, the signing key and everything else that must be kept. Relative to the configuration file's folder.",
    }),
    signing_key_file: z.string().min(1).optional().meta({
      description:
        'The key that signs events and federation requests. Made at the first start if it is not there. Default: signing.key in the data folder.',
    }),
  })
  .prefault({})
  .meta({ description: 'Who this server is.' });
