/** The rate limits: their names, meanings and defaults. This is the only table of them; `http/` applies it. */
import { z } from 'zod';

/** A token bucket: refilled at `perSecond`, holding at most `burst`. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface RateLimitEntry extends RateLimit {
  readonly about: string;
}

const TABLE = {
  login: { perSecond: 0.17, burst: 20, about: 'Log-in attempts, by address.' },
  login_account: { perSecond: 0.17, burst: 20, about: 'Log-in attempts on one account.' },
  login_failed: { perSecond: 0.17, burst: 5, about: 'Failed log-in attempts on one account.' },
  registration: { perSecond: 0.17, burst: 10, about: 'Registrations, by address.' },
  registration_check: { perSecond: 0.5, burst: 20, about: 'Checks of user names and tokens, by address.' },
  refresh: { perSecond: 1, burst: 30, about: 'Refreshes of access tokens, by address.' },
  message: { perSecond: 10, burst: 50, about: 'Events sent, of any type.' },
  join: { perSecond: 1, burst: 20, about: 'Joins of rooms that this server is in.' },
  join_remote: { perSecond: 0.1, burst: 10, about: 'Joins that other servers have to help with.' },
  invite: { perSecond: 0.5, burst: 20, about: 'Invitations that a user sends.' },
  invite_received: { perSecond: 0.1, burst: 20, about: 'Invitations of one user, whoever sends them.' },
  invite_server: { perSecond: 0.3, burst: 10, about: 'Invitations that come from another server, by server.' },
  join_room: { perSecond: 5, burst: 200, about: 'Joins of one room, whoever joins.' },
  room_creation: { perSecond: 0.2, burst: 10, about: 'New rooms.' },
  profile: { perSecond: 0.5, burst: 10, about: 'Changes of display name, avatar and profile fields.' },
  media: { perSecond: 5, burst: 50, about: 'Uploads.' },
  media_download: { perSecond: 50, burst: 500, about: 'Downloads and thumbnails.' },
  key_backup: { perSecond: 20, burst: 500, about: 'Backups of room keys, written and read.' },
  ephemeral: { perSecond: 10, burst: 100, about: 'Typing, receipts, read markers and presence.' },
  third_party_validation: { perSecond: 0.05, burst: 5, about: 'Validations of e-mail addresses, by address.' },
  third_party_bind: { perSecond: 0.5, burst: 30, about: 'What identity servers tell of addresses, by address.' },
  admin_redaction: { perSecond: 10, burst: 100, about: 'Redactions by administrators.' },
  delayed_event: { perSecond: 5, burst: 50, about: 'Delayed events and their heartbeats.' },
  search: { perSecond: 2, burst: 20, about: 'Searches, in rooms, of users and of rooms.' },
  report: { perSecond: 0.1, burst: 10, about: 'Reports of content.' },
  federation: { perSecond: 100, burst: 1000, about: 'Requests of other servers, by server.' },
  generic: { perSecond: 20, burst: 200, about: 'Anything else that should not be called in a loop.' },
} as const satisfies Record<string, RateLimitEntry>;

/** The name of a rate limit, as in a route's declaration and in the configuration. */
export type RateLimitName = keyof typeof TABLE;

/** Every limit there is, with its default. Each is kept by user, or by address where nobody is logged in. */
export const RATE_LIMITS: Readonly<Record<RateLimitName, RateLimit>> = TABLE;

function limit(name: RateLimitName) {
  const { perSecond, burst, about } = TABLE[name];
  return z
    .strictObject({ per_second: z.number().positive().prefault(perSecond), burst: z.int().min(1).prefault(burst) })
    .prefault({})
    .meta({ description: about });
}

/** `rate_limits`: how often users and addresses may do what. */
export const rateLimitsSection = z
  .strictObject({
    enabled: z.boolean().prefault(true).meta({ description: 'Whether anything is limited. Only tests switch it off.' }),
    login: limit('login'),
    login_account: limit('login_account'),
    login_failed: limit('login_failed'),
    registration: limit('registration'),
    registration_check: limit('registration_check'),
    refresh: limit('refresh'),
    message: limit('message'),
    join: limit('join'),
    join_remote: limit('join_remote'),
    invite: limit('invite'),
    invite_received: limit('invite_received'),
    invite_server: limit('invite_server'),
    join_room: limit('join_room'),
    room_creation: limit('room_creation'),
    profile: limit('profile'),
    media: limit('media'),
    media_download: limit('media_download'),
    key_backup: limit('key_backup'),
    ephemeral: limit('ephemeral'),
    third_party_validation: limit('third_party_validation'),
    third_party_bind: limit('third_party_bind'),
    admin_redaction: limit('admin_redaction'),
    delayed_event: limit('delayed_event'),
    search: limit('search'),
    report: limit('report'),
    federation: limit('federation'),
    generic: limit('generic'),
  })
  .prefault({})
  .meta({
    description: 'How often users and addresses may do what: buckets of so many (burst), refilled by per_second.',
  });
