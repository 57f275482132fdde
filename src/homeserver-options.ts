/** From the configuration's keys and units to those of the parts. */
import { type Config, RATE_LIMITS, type RateLimit, type RateLimitName } from './config/index.ts';
import type { DatabaseConfig } from './storage/index.ts';

/** What storage needs to know. */
export function databaseConfigOf({ database }: Config): DatabaseConfig {
  if (database.type === 'sqlite') return { dialect: 'sqlite', path: database.sqlite.file };
  const { host, port, user, password, connections_max } = database.postgres;
  const login = `${encodeURIComponent(user)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}`;
  // A host that is a folder (a unix socket) has no place in a URL's authority.
  const query = new URLSearchParams({ host, port: String(port) });
  const name = encodeURIComponent(database.postgres.database);
  return {
    dialect: 'postgres',
    connectionString: `postgres://${login}@/${name}?${query}`,
    poolSizeMax: connections_max,
  };
}

/** The figures of all rate limits. */
export function rateLimitsOf({ rate_limits: section }: Config): {
  readonly enabled: boolean;
  readonly limits: Readonly<Record<RateLimitName, RateLimit>>;
} {
  const limits = { ...RATE_LIMITS };
  for (const name of rateLimitNames()) {
    limits[name] = { perSecond: section[name].per_second, burst: section[name].burst };
  }
  return { enabled: section.enabled, limits };
}

function rateLimitNames(): readonly RateLimitName[] {
  return Object.keys(RATE_LIMITS).filter((name): name is RateLimitName => name in RATE_LIMITS);
}
