import { z } from 'zod';

const contact = z
  .strictObject({
    role: z.enum(['m.role.admin', 'm.role.security']).meta({ description: 'What to write to this contact about.' }),
    matrix_id: z.string().min(1).optional(),
    email_address: z.email().optional(),
  })
  .refine((value) => value.matrix_id !== undefined || value.email_address !== undefined, {
    message: 'a contact has a matrix_id or an email_address',
  });

/** `well_known`: the files below `/.well-known/matrix/`. */
export const wellKnownSection = z
  .strictObject({
    client: z.record(z.string(), z.json()).optional().meta({
      description:
        'Further fields of /.well-known/matrix/client, beside the address of this server (server.public_url).',
    }),
    server: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'Where other servers reach this one: the content of /.well-known/matrix/server.',
        examples: ['matrix.example.org:443'],
      }),
    policy_server_key: z
      .string()
      .regex(/^[A-Za-z0-9+/_-]{43}$/, 'an Ed25519 key is 43 characters of unpadded base64')
      .optional()
      .meta({
        description:
          'The Ed25519 key of a policy server that runs beside this server under its name, for /.well-known/matrix/policy_server. ' +
          'Route /_matrix/policy/ to it.',
        examples: ['6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s'],
      }),
    support: z
      .strictObject({
        contacts: z.array(contact).prefault([]),
        page: z.url().optional().meta({ description: 'A page with help for users.' }),
      })
      .optional()
      .meta({ description: 'Whom users may ask: the content of /.well-known/matrix/support.' }),
  })
  .prefault({})
  .meta({ description: 'The files below /.well-known/matrix/, by which clients and servers find this one.' });
