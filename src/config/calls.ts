import { z } from 'zod';
import { durationMs } from './units.ts';

/** `calls`: what clients need for voice and video. */
export const callsSection = z
  .strictObject({
    turn: z
      .strictObject({
        uris: z
          .array(z.string().regex(/^turns?:/, 'expected turn: or turns:'))
          .prefault([])
          .meta({
            description: 'The addresses of the TURN server. Without any, clients are told of none.',
            examples: [['turn:turn.example.org:3478?transport=udp', 'turns:turn.example.org:443?transport=tcp']],
          }),
        shared_secret: z.string().min(1).optional().meta({
          description:
            'The secret shared with the TURN server (static-auth-secret of coturn): each user gets credentials of their own.',
        }),
        username: z.string().optional().meta({ description: 'In place of the secret: one name for everybody.' }),
        password: z.string().optional(),
        credentials_lifetime: durationMs({ minMs: 60_000 }).prefault('1d').meta({
          description: 'How long credentials are good for.',
        }),
        guests: z.boolean().prefault(false).meta({ description: 'Whether guests get credentials too.' }),
      })
      .prefault({})
      .meta({ description: 'TURN, without which calls between two homes often fail.' }),
    rtc_transports: z
      .array(z.looseObject({ type: z.string().min(1) }))
      .prefault([])
      .meta({
        description: 'Where group calls (MatrixRTC) are held, as clients are told it.',
        examples: [[{ type: 'livekit', livekit_service_url: 'https://livekit.example.org' }]],
      }),
  })
  .prefault({})
  .meta({ description: 'Voice and video.' });
