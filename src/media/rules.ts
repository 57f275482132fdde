import type { Config } from '../config/index.ts';

/** What the configuration says about uploads. */
export interface MediaRules {
  readonly uploadBytesMax: number;
  readonly quotaBytes: number | undefined;
  readonly blockedTypes: readonly string[];
  readonly pendingMax: number;
  readonly pendingLifetimeMs: number;
  /** Files that come now may be downloaded without login. */
  readonly isOpen: boolean;
}

export function rulesOf(config: Config['media']): MediaRules {
  return {
    uploadBytesMax: config.upload_size_max,
    quotaBytes: config.user_quota,
    blockedTypes: config.blocked_types,
    pendingMax: config.pending_uploads_max,
    pendingLifetimeMs: config.pending_upload_lifetime,
    isOpen: config.unauthenticated_downloads,
  };
}
