import { z } from 'zod';
import { parseServerName } from '../protocol/ids/index.ts';
import { addressRange } from './http.ts';
import { durationMs, sizeBytes } from './units.ts';

const serverName = z
  .string()
  .refine((name) => parseServerName(name) !== undefined, 'expected a server name such as matrix.org');

const typePattern = z.string().regex(/^[\w.+-]+\/(\*|[\w.+-]+)$/, 'expected a type such as video/mp4 or video/*');

const hostPattern = z.string().regex(/^(\*\.)?[\w.-]+$/, 'expected a host such as example.com or *.example.com');

/** `media`: files, thumbnails and link previews. */
export const mediaSection = z
  .strictObject({
    folder: z
      .string()
      .optional()
      .meta({ description: 'Where files are kept. Default: the folder media in the data folder.' }),
    store: z.enum(['local', 's3']).prefault('local').meta({
      description:
        'Where new files go: the folder, or an object store (S3 or compatible). Files in the other place are still found; inglenook media move brings them over.',
    }),
    s3: z
      .strictObject({
        endpoint: z.url({ protocol: /^https?$/ }).meta({
          description: 'The address of the bucket.',
          examples: ['https://s3.eu-central-1.amazonaws.com/my-bucket'],
        }),
        region: z.string().prefault('auto').meta({ description: "The bucket's region." }),
        access_key_id: z.string().meta({ description: 'The key.' }),
        secret_access_key: z.string().meta({ description: 'Its secret.' }),
        prefix: z
          .string()
          .regex(/^([\w.-]+\/)*$/, 'expected a path that ends in a slash')
          .prefault('')
          .meta({ description: 'Before the name of each object.', examples: ['media/'] }),
      })
      .optional()
      .meta({ description: 'The object store. Needed where store is s3, or was.' }),
    upload_size_max: sizeBytes({ minBytes: 1 })
      .prefault('100M')
      .meta({ description: 'The largest file that may be uploaded.' }),
    user_quota: sizeBytes()
      .optional()
      .meta({ description: 'How much each user may keep here. Without it there is no limit.', examples: ['5G'] }),
    blocked_types: z
      .array(typePattern)
      .prefault([])
      .meta({
        description: 'Content types that nobody may upload. Encrypted files have none.',
        examples: [['application/x-msdownload', 'video/*']],
      }),
    allowed_types: z
      .array(typePattern)
      .optional()
      .meta({
        description: 'If set, only these content types may be uploaded. Encrypted files are application/octet-stream.',
        examples: [['image/*', 'application/octet-stream']],
      }),
    type_size_max: z
      .record(typePattern, sizeBytes())
      .prefault({})
      .meta({
        description:
          'The largest file of a type, where it is less than upload_size_max. The smallest that fits counts.',
        examples: [{ 'video/*': '50M' }],
      }),
    strip_metadata: z.boolean().prefault(false).meta({
      description:
        'Whether place, device and all else but orientation and colours are taken out of uploaded pictures (JPEG, PNG, WebP, HEIC, AVIF). Encrypted files stay as they are.',
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
        ffmpeg: z
          .string()
          .min(1)
          .prefault('ffmpeg')
          .meta({
            description:
              'The program that makes pictures of films and finds the covers of music: a name to look for, or a path. Where there is none, or with none, these have no thumbnails.',
            examples: ['/usr/bin/ffmpeg', 'none'],
          }),
        processes_max: z
          .int()
          .min(1)
          .max(64)
          .optional()
          .meta({ description: 'How many are made at once. Default: one less than the processors.' }),
      })
      .prefault({})
      .meta({ description: 'Small versions of pictures.' }),
    previews: z
      .strictObject({
        enabled: z.boolean().prefault(true).meta({ description: 'Whether the server fetches previews of links.' }),
        allowed_hosts: z
          .array(hostPattern)
          .prefault([])
          .meta({ description: 'If not empty, only these hosts are asked.', examples: [['*.example.com']] }),
        denied_hosts: z.array(hostPattern).prefault([]).meta({ description: 'Hosts that are never asked.' }),
        allowed_addresses: z
          .array(addressRange)
          .prefault([])
          .meta({
            description:
              'Addresses and ranges that may be asked although they are private. Without an entry no request reaches a private, loopback or link-local address.',
            examples: [['10.1.2.3', 'fd00:1::/32']],
          }),
        denied_addresses: z
          .array(addressRange)
          .prefault([])
          .meta({ description: 'Further addresses and ranges that are never asked.' }),
        image_size_max: sizeBytes().prefault('10M').meta({ description: 'The largest picture of a preview.' }),
        timeout: durationMs({ minMs: 100 }).prefault('8s').meta({ description: 'How long a page may take.' }),
        cache: durationMs().prefault('6h').meta({ description: 'How long a preview is kept.' }),
        user_agent: z
          .string()
          .min(1)
          .prefault('Mozilla/5.0 (compatible; InglenookBot; link preview)')
          .meta({ description: 'What the server calls itself.' }),
      })
      .prefault({})
      .meta({ description: 'Previews of links.' }),
    scan: z
      .strictObject({
        clamd: z
          .string()
          .refine(
            (text) => text.startsWith('/') || /^[^\s/]+:\d{1,5}$/.test(text),
            'expected /path/of/socket or host:port',
          )
          .meta({
            description: 'Where the ClamAV daemon listens: the path of its socket, or host and port.',
            examples: ['/run/clamav/clamd.ctl', 'localhost:3310'],
          }),
        unreachable: z
          .enum(['refuse', 'allow'])
          .prefault('refuse')
          .meta({ description: 'What to do with files while it does not answer.' }),
        size_max: sizeBytes()
          .prefault('100M')
          .meta({ description: 'Larger files are not scanned. Not above the StreamMaxLength of the daemon.' }),
        too_large: z.enum(['refuse', 'allow']).prefault('allow').meta({ description: 'What to do with those.' }),
        timeout: durationMs({ minMs: 100 }).prefault('60s').meta({ description: 'How long scanning a file may take.' }),
      })
      .optional()
      .meta({
        description:
          'Has each file scanned for malware before it is kept, uploads and copies of other servers. Encrypted files show nothing to a scanner.',
      }),
    remote: z
      .strictObject({
        size_max: sizeBytes({ minBytes: 1 })
          .prefault('100M')
          .meta({ description: 'Larger files of other servers are not fetched.' }),
        timeout: durationMs({ minMs: 100 })
          .prefault('10m')
          .meta({ description: 'How long fetching one of them may take.' }),
        per_server_max: z
          .int()
          .min(1)
          .prefault(8)
          .meta({ description: 'How many are fetched from one server at once; the others wait.' }),
        denied_servers: z
          .array(serverName)
          .prefault([])
          .meta({ description: 'Servers whose files are never fetched.' }),
      })
      .prefault({})
      .meta({
        description: 'Files of other servers. They are kept, as tidy says, and thumbnails are made of the copy.',
      }),
    tidy: z
      .strictObject({
        redacted: z.boolean().prefault(true).meta({
          description:
            'Whether a file goes when the last event that refers to it is redacted. Files of encrypted rooms stay: what refers to them is encrypted too.',
        }),
        redacted_delay: durationMs()
          .prefault('24h')
          .meta({ description: 'How long after the redaction it goes; until then an administrator can still see it.' }),
        erased: z.boolean().prefault(true).meta({
          description: 'Whether what a user has uploaded goes when the account is erased.',
        }),
        local_retention: durationMs({ minMs: 3_600_000 })
          .optional()
          .meta({ description: 'Files of our users that nobody asked for so long go. Default: never.' }),
        remote_retention: durationMs({ minMs: 3_600_000 })
          .optional()
          .prefault('90d')
          .meta({ description: "Copies of other servers' files that nobody asked for so long go." }),
        remote_cache_max: sizeBytes()
          .prefault('10G')
          .meta({ description: "What copies of other servers' files may take; the least recently used go first." }),
      })
      .prefault({})
      .meta({ description: 'What goes, so that the disk does not only grow.' }),
  })
  .prefault({})
  .meta({ description: 'Files, thumbnails and link previews.' });
