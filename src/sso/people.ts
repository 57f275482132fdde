/** Whose account it is that somebody at a provider has here. */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import type { SsoProviderConfig } from '../config/index.ts';
import type { Jobs } from '../jobs/index.ts';
import { MatrixError } from '../protocol/errors.ts';
import { makeUserId, type UserId } from '../protocol/ids/index.ts';
import type { ReadTx, WriteTx } from '../storage/index.ts';
import { type Identity, suggestedName } from './identity.ts';
import { SsoRefusal } from './refusal.ts';

/** An account, or the question for a name. */
export type Found =
  | { readonly userId: UserId }
  | { readonly userId: undefined; readonly problem: NameProblem | undefined };

export type NameProblem = 'taken' | 'invalid';

export const PICTURE_JOB = 'sso.fetch_picture';
export const picturePayload = z.object({ userId: z.string(), url: z.string(), provider: z.string() });

export interface PeopleDeps {
  readonly accounts: Accounts;
  readonly jobs: Jobs;
}

/** Finds and makes accounts. Everything happens in the caller's transaction. */
export class People {
  readonly #accounts: Accounts;
  readonly #jobs: Jobs;

  constructor({ accounts, jobs }: PeopleDeps) {
    this.#accounts = accounts;
    this.#jobs = jobs;
  }

  /** The account that the identity is tied to. Throws `SsoRefusal` where it can't be used; undefined where there is none. */
  async findIn(tx: ReadTx, identity: Identity): Promise<UserId | undefined> {
    const userId = await this.#accounts.externalIds.findIn(tx, identity);
    if (userId !== undefined) await this.assertUsable(tx, userId);
    return userId;
  }

  /** The account of the identity: tied to it before, tied to it now as the configuration allows, or new. */
  async resolve(tx: WriteTx, config: SsoProviderConfig, identity: Identity): Promise<Found> {
    const known = (await this.findIn(tx, identity)) ?? (await this.#link(tx, config, identity));
    if (known !== undefined) return { userId: known };
    if (!config.registration) throw new SsoRefusal('no_account');
    if (config.confirm_name || identity.localpart === '') return { userId: undefined, problem: undefined };
    return this.register(tx, config, identity, identity.localpart);
  }

  /** Makes the account under a name, or says what is wrong with the name. */
  async register(tx: WriteTx, config: SsoProviderConfig, identity: Identity, name: string): Promise<Found> {
    if (!config.registration) throw new SsoRefusal('no_account');
    // Somebody may have come by another tab meanwhile.
    const known = await this.findIn(tx, identity);
    if (known !== undefined) return { userId: known };
    let userId: UserId;
    try {
      userId = await this.#accounts.registration.registerExternal(tx, name, identity.displayName);
    } catch (error) {
      // Both are thrown before anything is written.
      if (!(error instanceof MatrixError)) throw error;
      return { userId: undefined, problem: error.errcode === 'M_USER_IN_USE' ? 'taken' : 'invalid' };
    }
    await this.#accounts.externalIds.addIn(tx, userId, identity);
    const { verifiedEmail, picture } = identity;
    const { threePids } = this.#accounts;
    if (verifiedEmail !== undefined && (await threePids.userOfIn(tx, 'email', verifiedEmail)) === undefined) {
      await threePids.addIn(tx, userId, verifiedEmail);
    }
    if (picture !== undefined) {
      await this.#jobs.enqueue(tx, PICTURE_JOB, { userId, url: picture, provider: config.id });
    }
    return { userId };
  }

  /** What to propose as a name. */
  suggestion(identity: Identity): string {
    return suggestedName(identity.localpart);
  }

  /** Throws `SsoRefusal` where the account is locked or deactivated. */
  async assertUsable(tx: ReadTx, userId: UserId): Promise<void> {
    const user = await this.#accounts.users.findIn(tx, userId);
    if (user === undefined || user.isDeactivated) throw new SsoRefusal('deactivated');
    if (user.isLocked) throw new SsoRefusal('locked');
  }

  /** An account that exists already. One that has an identity at this provider doesn't get a second one. */
  async #link(tx: WriteTx, config: SsoProviderConfig, identity: Identity): Promise<UserId | undefined> {
    const { accounts } = { accounts: this.#accounts };
    const { link_existing: by } = config;
    const { verifiedEmail, localpart } = identity;
    const candidates: (UserId | undefined)[] = [];
    if (by.verified_email && verifiedEmail !== undefined) {
      candidates.push(await accounts.threePids.userOfIn(tx, 'email', verifiedEmail));
    }
    if (by.localpart && localpart !== '') candidates.push(makeUserId(localpart, accounts.serverName));
    for (const userId of candidates) {
      const user = userId && (await accounts.users.findIn(tx, userId));
      if (userId === undefined || user === undefined || user.isDeactivated || user.isGuest) continue;
      const others = await accounts.externalIds.listIn(tx, userId);
      if (others.some(({ provider }) => provider === config.id)) continue;
      if (user.isLocked) throw new SsoRefusal('locked');
      await accounts.externalIds.addIn(tx, userId, identity);
      return userId;
    }
    return undefined;
  }
}
