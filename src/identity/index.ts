/** Identity: which e-mail address is whose, as identity servers know it, and invites by e-mail. */
import type { Config } from '../config/index.ts';
import type { SigningKey } from '../protocol/crypto/index.ts';
import { Bindings } from './bindings.ts';
import { IdentityConnection } from './connection.ts';
import { IdentityServers } from './identity-servers.ts';
import { ThirdParties, type ThirdPartiesDeps } from './third-parties.ts';

export type { Bindings, UnbindResult } from './bindings.ts';
export type { IdentityAccess, IdentityServers } from './identity-servers.ts';
export { identityMigrations } from './store.ts';
export type { AddressInvite, ThirdParties } from './third-parties.ts';

export interface IdentityDeps extends Omit<ThirdPartiesDeps, 'servers' | 'invitesKnownAddresses'> {
  readonly config: Config['identity'];
  readonly signingKey: SigningKey;
}

/** The face of this domain. */
export class Identity implements AsyncDisposable {
  readonly servers: IdentityServers;
  readonly thirdParties: ThirdParties;
  readonly bindings: Bindings;
  readonly #connection: IdentityConnection;

  constructor({ config, signingKey, ...deps }: IdentityDeps) {
    const known = new Map(config.servers.map(({ name, url }) => [name, new URL(url ?? `https://${name}`)]));
    // Without a url of its own, the name says no more than a client could: it must lead to a public address.
    const trusted = config.servers.flatMap(({ url }) => (url === undefined ? [] : [new URL(url)]));
    this.#connection = new IdentityConnection(trusted, config.request_timeout);
    this.servers = new IdentityServers({
      connection: this.#connection,
      known,
      allowsAny: config.allow_any,
      serverName: deps.accounts.serverName,
      signingKey,
    });
    this.bindings = new Bindings(deps.database, this.servers);
    const invitesKnownAddresses = config.invite_known_addresses;
    this.thirdParties = new ThirdParties({ ...deps, servers: this.servers, invitesKnownAddresses });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }
}
