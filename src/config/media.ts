import { z } from 'zod';
import { durationMs, sizeBytes } from './units.ts';

/** `media`: files, thumbnails and link previews. */
export const mediaSection = z
  .strictObject({
    folder: z
      .string()
      .optional()
      .meta({ description: 'Where files are kept. Default: the folder media in the data folder.' }),
    upload_size_max: sizeBytes({ minBytes: 1 })
      .prefault('100M')
      .meta({ description: 'The largest file that may be uploaded.' }),
    user_quota: sizeBytes()
      .optional()
      .meta({ description: 'How much each user may keep here. Without it there is no limit.', examples: ['5G'] }),
    blocked_types: z
      .array(z.string().regex(/^[\w.+-]+\/(\*|[\w.+-]+)$/, 'expected a type such as video/mp4 or video/*'))
      .prefault([])
      .meta({
        description: 'Content types that nobody may upload. Encrypted files have none.',
        examples: [['application/x-msdownload', 'video/*']],
      }),
    pending_uploads_max: z
      .int()
      .min(1)
      .prefault(20)
      .meta({ description: 'How many uploads a user may have announced without having sent the file.' }),
    pending_upload_lifetime: durationMs({ minMs: 60_000 })
      .prefault('24h')
      .meta({ description: 'How long an announced upload waits for its file.' }),
    unauthenticated_downloads: z.boolean().prefault(false).meta({
      description:
        'Whether files that are uploaded from now on can be downloaded without logging in, over the paths of before 2024. Files uploaded while this is true stay so.',
    }),
    thumbnails: z
      .strictObject({
        when: z
          .enum(['on_demand', 'at_upload'])
          .prefault('on_demand')
          .meta({ description: 'Whether small pictures are made when they are asked for, or when the file comes.' }),
        pixels_max: z
          .int()
          .min(1)
          .prefault(50_000_000)
          .meta({ description: 'Larger pictures get no thumbnails. All frames of an animation count.' }),
        timeout: durationMs({ minMs: 100 })
          .prefault('20s')
          .meta({ description: 'A picture that takes longer gets no thumbnails.' }),
        processes_max: z
          .int()
          .min(1)
          .max(64)
          .optional()
          .meta({ description: 'How many are made at once. Default: one less than the processors.' }),
      })
      .prefault({})
      .meta({ description: 'Small versions of pictures.' }),
  })
  .prefault({})
  .meta({ description: 'Files, thumbnails and link previews.' });
