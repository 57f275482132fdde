import { z } from 'zod';
import { durationMs } from './units.ts';

/** An address or a CIDR range. */
export const addressRange = z
  .string()
  .refine(isAddressRange, 'expected an IP address or a range such as 10.0.0.0/8 or fd00::/8');

/** `http`: what holds for all listeners. */
export const httpSection = z
  .strictObject({
    trusted_proxies: z
      .array(addressRange)
      .prefault([])
      .meta({
        description:
          'Addresses of reverse proxies. Only from these is X-Forwarded-For believed. A listener on a unix socket trusts its peer if this list has an entry.',
        examples: [['127.0.0.1', '10.0.0.0/8']],
      }),
    shutdown_timeout: durationMs().prefault('10s').meta({
      description: 'How long running requests may still take when the server is told to stop.',
    }),
  })
  .prefault({})
  .meta({ description: 'What holds for all listeners.' });

function isAddressRange(text: string): boolean {
  const [address = '', bits, rest] = text.split('/');
  if (rest !== undefined) return false;
  const isV4 = z.ipv4().safeParse(address).success;
  if (!isV4 && !z.ipv6().safeParse(address).success) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isV4 ? 32 : 128));
}
