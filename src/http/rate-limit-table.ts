/** The names of the rate limits and their defaults; config (`rate_limits`) overrides the figures. */

/** A token bucket: refilled at `perSecond`, holding at most `burst`. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Every limit there is. Each is kept by user, or by address where nobody is logged in, unless it says otherwise. */
export const RATE_LIMITS = {
  /** Log-in attempts, by address. */
  login: { perSecond: 0.17, burst: 20 },
  /** Log-in attempts on one account, by account. */
  login_account: { perSecond: 0.17, burst: 20 },
  /** Failed log-in attempts on one account, by account. */
  login_failed: { perSecond: 0.17, burst: 5 },
  /** Registrations, by address. */
  registration: { perSecond: 0.17, burst: 10 },
  /** Checks of user names and registration tokens, by address. */
  registration_check: { perSecond: 0.5, burst: 20 },
  /** Refreshes of access tokens, by address. */
  refresh: { perSecond: 1, burst: 30 },
  /** Events sent, of any type. */
  message: { perSecond: 10, burst: 50 },
  join: { perSecond: 1, burst: 20 },
  /** Joins that other servers have to help with. */
  join_remote: { perSecond: 0.1, burst: 10 },
  invite: { perSecond: 0.5, burst: 20 },
  room_creation: { perSecond: 0.2, burst: 10 },
  profile: { perSecond: 0.5, burst: 10 },
  media: { perSecond: 5, burst: 50 },
  /** E-mail and SMS validation requests, by address. */
  third_party_validation: { perSecond: 0.05, burst: 5 },
  /** Redactions by administrators. */
  admin_redaction: { perSecond: 10, burst: 100 },
  /** Delayed events and their heartbeats. */
  delayed_event: { perSecond: 5, burst: 50 },
  /** Searches, in rooms, of users and of rooms. */
  search: { perSecond: 2, burst: 20 },
  report: { perSecond: 0.1, burst: 10 },
  /** For anything else that should not be called in a loop. */
  generic: { perSecond: 20, burst: 200 },
} as const satisfies Record<string, RateLimit>;

export type RateLimitName = keyof typeof RATE_LIMITS;
