import { type Stage, StageFailure } from './stages.ts';

/** Pages on which users approve what is delicate. Whoever gives out tokens by the OAuth 2.0 API implements it. */
export interface OAuthApproval {
  /** Whether an access token came by the OAuth 2.0 API: its client can go through no other stage. */
  isOAuthToken(tokenId: number): Promise<boolean>;
  /**
   * The page on which the user approves a reset of cross-signing. Once that is done, it completes the stage by
   * `Uia.completeIn(tx, sessionId, 'm.oauth', userId)`. An address that begins with `https://` (or `http://`).
   */
  crossSigningUrl(sessionId: string): string;
}

/**
 * `m.oauth`: approved on a page of account management only, after which the session alone is enough.
 * Spec: client-server-api/#oauth-authentication
 */
export function oauthStage(approval: () => OAuthApproval | undefined): Stage {
  return {
    isRepeatable: false,
    params: (sessionId) => ({ url: approval()?.crossSigningUrl(sessionId) ?? '' }),
    attempt: async () => {
      throw new StageFailure('M_FORBIDDEN', 'Approve this on the page of account management');
    },
  };
}
