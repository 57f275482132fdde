import { z } from 'zod';

/** `encryption`: the keys of end-to-end encryption. */
export const encryptionSection = z
  .strictObject({
    check_device_signatures: z
      .boolean()
      .prefault(true)
      .meta({
        description:
          'Whether a device must have signed the identity keys that it publishes. Clients check that themselves; off, ' +
          'load generators and test suites can publish keys that they made up.',
      }),
  })
  .prefault({})
  .meta({ description: 'The keys of end-to-end encryption.' });
