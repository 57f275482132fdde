import { z } from 'zod';

/** `terms`: documents that users agree to when they register with the step `terms`. */
export const termsSection = z
  .array(
    z.strictObject({
      id: z
        .string()
        .regex(/^[a-z0-9_.-]+$/, 'expected lower-case letters, digits, _ . -')
        .meta({ description: 'A short name that stays the same.', examples: ['privacy_policy'] }),
      version: z
        .string()
        .min(1)
        .meta({ description: 'Changes when the text does.', examples: ['2026-11'] }),
      name: z
        .string()
        .min(1)
        .meta({ examples: ['Privacy policy'] }),
      url: z.url(),
      language: z.string().min(2).prefault('en'),
    }),
  )
  .prefault([])
  .meta({ description: 'Documents that users agree to when they register with the step terms.' });
