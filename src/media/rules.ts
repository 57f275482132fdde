import type { Config } from '../config/index.ts';
import { forbidden, tooLarge } from '../protocol/errors.ts';
import { matchesType } from './content-types.ts';

/** What the configuration says about uploads. */
export interface MediaRules {
  readonly uploadBytesMax: number;
  readonly quotaBytes: number | undefined;
  readonly blockedTypes: readonly string[];
  /** Undefined: all that aren't blocked. */
  readonly allowedTypes: readonly string[] | undefined;
  /** Types or `video/*`, with the size in bytes of the largest file. */
  readonly typeBytesMax: readonly (readonly [pattern: string, bytesMax: number])[];
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
    allowedTypes: config.allowed_types,
    typeBytesMax: Object.entries(config.type_size_max),
    pendingMax: config.pending_uploads_max,
    pendingLifetimeMs: config.pending_upload_lifetime,
    isOpen: config.unauthenticated_downloads,
  };
}

/** Throws `M_FORBIDDEN` for a type that may not be uploaded. */
export function assertType({ blockedTypes, allowedTypes }: MediaRules, contentType: string): void {
  const isAllowed = allowedTypes === undefined || matchesType(contentType, allowedTypes);
  if (!isAllowed || matchesType(contentType, blockedTypes)) throw forbidden('This server takes no files of this type');
}

/** Throws `M_TOO_LARGE` for a file that is too large for its type. */
export function assertSize({ typeBytesMax }: MediaRules, contentType: string, sizeBytes: number): void {
  for (const [pattern, bytesMax] of typeBytesMax) {
    if (sizeBytes <= bytesMax || !matchesType(contentType, [pattern])) continue;
    throw tooLarge(`Files of this type may not exceed ${bytesMax} bytes`);
  }
}
