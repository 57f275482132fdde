import { z } from 'zod';

const recaptcha = z
  .strictObject({
    site_key: z.string().min(1),
    secret_key: z.string().min(1),
    verify_url: z.url().prefault('https://www.google.com/recaptcha/api/siteverify').meta({
      description: 'Where an answer is checked; another address for a compatible service.',
    }),
  })
  .optional()
  .meta({ description: 'The keys for the step recaptcha.' });

/** `registration`: who may make an account. */
export const registrationSection = z
  .strictObject({
    open_to: z.enum(['nobody', 'local', 'everyone']).prefault('local').meta({
      description:
        'Who may register: nobody; local: only requests from this machine itself (never ones that a proxy forwards); everyone. Where there is no configuration file at all, the very first account becomes an administrator if it is registered from this machine.',
    }),
    steps: z
      .array(z.enum(['registration_token', 'terms', 'recaptcha', 'email']))
      .prefault([])
      .meta({
        description:
          'What is asked of those who register. registration_token: a token that an administrator has made; terms: consent to the terms of service (section terms); recaptcha: a captcha; email: an e-mail address that is confirmed (section email).',
      }),
    reserved_names: z
      .array(z.string().min(1))
      .prefault([])
      .meta({
        description:
          'User names that nobody gets by registering, in lower case; * stands for any characters. With the shared secret and from the command line they can be made.',
        examples: [['admin', 'root', 'support*']],
      }),
    guests: z.boolean().prefault(false).meta({ description: 'Whether guests get an account without a password.' }),
    shared_secret: z.string().min(1).optional().meta({
      description:
        'Whoever knows this secret may register accounts, administrators too, at /_synapse/admin/v1/register. Without it that address does not exist.',
    }),
    recaptcha,
  })
  .superRefine((value, context) => {
    if (value.steps.includes('recaptcha') && value.recaptcha === undefined) {
      context.addIssue({ code: 'custom', path: ['steps'], message: 'the step recaptcha needs registration.recaptcha' });
    }
  })
  .prefault({})
  .meta({ description: 'Who may make an account.' });
