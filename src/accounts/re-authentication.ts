import type { UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { ExternalIds } from './external-ids.ts';
import { findUser } from './store/users.ts';
import type { Flow, OAuthApproval } from './uia/index.ts';

/** What the server offers to prove who one is. */
export interface ProofRules {
  /** Whether passwords are taken. */
  readonly passwords: boolean;
  /** The ids of the providers of single sign-on. */
  readonly providers: readonly string[];
}

const BY_PASSWORD: Flow = ['m.login.password'];
const BY_SSO: Flow = ['m.login.sso'];
/** The second is the first's name from before it was in the specification (MSC4312). */
const BY_OAUTH: readonly Flow[] = [['m.oauth'], ['org.matrix.cross_signing_reset']];

/** How somebody who is logged in shows once more who they are, before something delicate happens to the account. */
export class ReAuthentication {
  readonly #database: Database;
  readonly #externalIds: ExternalIds;
  readonly #rules: ProofRules;
  #oauth: OAuthApproval | undefined;

  constructor(database: Database, externalIds: ExternalIds, rules: ProofRules) {
    this.#database = database;
    this.#externalIds = externalIds;
    this.#rules = rules;
  }

  /** Whether passwords are taken at all. */
  get takesPasswords(): boolean {
    return this.#rules.passwords;
  }

  /** From now on, users whose client came by OAuth 2.0 approve on these pages. */
  approveBy(oauth: OAuthApproval): void {
    this.#oauth = oauth;
  }

  /** Where users approve; undefined where no tokens are given out by OAuth 2.0. */
  get oauth(): OAuthApproval | undefined {
    return this.#oauth;
  }

  /** The ways to approve other cross-signing keys. Spec: client-server-api/#post_matrixclientv3keysdevice_signingupload */
  async flowsForCrossSigning(userId: UserId, tokenId: number): Promise<readonly Flow[]> {
    return (await this.#oauth?.isOAuthToken(tokenId)) ? BY_OAUTH : this.flowsOf(userId);
  }

  /** The ways open to a user: the password where there is one, single sign-on where the user came by it. At least one. */
  async flowsOf(userId: UserId): Promise<readonly Flow[]> {
    const { passwords, providers } = this.#rules;
    if (providers.length === 0) return [BY_PASSWORD];
    return this.#database.read(async (tx) => {
      const ids = await this.#externalIds.listIn(tx, userId);
      const hasSso = ids.some(({ provider }) => providers.includes(provider));
      const hasPassword = passwords && ((await findUser(tx, userId))?.password_hash ?? null) !== null;
      return [...(hasPassword || !hasSso ? [BY_PASSWORD] : []), ...(hasSso ? [BY_SSO] : [])];
    });
  }
}
