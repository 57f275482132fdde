/** The configuration: YAML in, a checked `Config` with every default filled in out. */
export type { ListenerConfig } from './listeners.ts';
export { type LoadedConfig, loadConfig, makeConfig, parseConfig } from './load.ts';
export { ConfigError, type ConfigProblem } from './problems.ts';
export { RATE_LIMITS, type RateLimit, type RateLimitName } from './rate-limits.ts';
export type { Config, ConfigInput } from './schema.ts';
export type { SsoConfig, SsoProviderConfig } from './sso.ts';
