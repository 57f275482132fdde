import { z } from 'zod';

/** The sorts of endpoints that a listener may serve. */
export const LISTENER_RESOURCES = ['client', 'federation', 'admin', 'web', 'health', 'metrics'] as const;

const listener = z
  .strictObject({
    port: z.int().min(0).max(65535).optional().meta({ description: 'The TCP port; 0 takes a free one.' }),
    addresses: z
      .array(z.union([z.ipv4(), z.ipv6()], { error: 'expected an IP address such as 127.0.0.1, 0.0.0.0 or ::' }))
      .min(1)
      .prefault(['127.0.0.1', '::1'])
      .meta({ description: 'The addresses to listen on. 0.0.0.0 and :: are all addresses of the machine.' }),
    unix_socket: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'A path to listen on instead of a port.', examples: ['/run/inglenook.sock'] }),
    unix_socket_mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, "expected octal digits in quotes, such as '660'")
      .prefault('660')
      .meta({ description: 'The permissions of the unix socket, in octal digits.' }),
    resources: z
      .array(z.enum(LISTENER_RESOURCES))
      .min(1)
      .prefault(['client', 'federation', 'admin', 'web', 'health'])
      .meta({
        description:
          'What is served here. client: the API of Matrix clients; federation: the API of other servers; admin: the administration API; web: start page and web client; health: /health; metrics: /metrics for Prometheus, without a password, so never on a public address.',
      }),
    tls: z.boolean().prefault(false).meta({ description: 'Whether to speak TLS.' }),
    certificate_file: z.string().min(1).optional().meta({
      description: 'The certificate chain (PEM). Without it a self-signed one is made and kept in the data folder.',
    }),
    key_file: z.string().min(1).optional().meta({ description: 'The private key of the certificate (PEM).' }),
  })
  .superRefine((value, context) => {
    if ((value.port === undefined) === (value.unix_socket === undefined)) {
      context.addIssue({ code: 'custom', message: 'a listener has either a port or a unix_socket' });
    }
    if ((value.certificate_file === undefined) !== (value.key_file === undefined)) {
      context.addIssue({ code: 'custom', message: 'certificate_file and key_file belong together' });
    }
  });

/** `listeners`: where this server listens, and what it serves there. */
export const listenersSection = z
  .array(listener)
  .min(1)
  .prefault([{ port: 8008, addresses: ['127.0.0.1', '::1'], resources: [...LISTENER_RESOURCES] }])
  .meta({ description: 'Where this server listens, and what it serves there.' });

/** One entry of `listeners`. */
export type ListenerConfig = z.output<typeof listener>;
