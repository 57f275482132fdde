import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { IdentityAccess, IdentityServers, ThirdPartyAddress } from './identity-servers.ts';
import { type BindingRow, bindingsOf, deleteBinding, insertBinding } from './store.ts';

/** `no-support`: the address may still be published somewhere. */
export type UnbindResult = 'success' | 'no-support';

/** What users publish of their addresses at identity servers. Spec: client-server-api/#post_matrixclientv3account3pidbind */
export class Bindings {
  readonly #database: Database;
  readonly #servers: IdentityServers;

  constructor(database: Database, servers: IdentityServers) {
    this.#database = database;
    this.#servers = servers;
  }

  /** Publishes what a session at the identity server has validated. @throws MatrixError */
  async bind(
    userId: UserId,
    access: IdentityAccess,
    session: { readonly sid: string; readonly clientSecret: string },
  ): Promise<void> {
    const bound = await this.#servers.bind(access, { ...session, userId });
    const row = { user_id: userId, id_server: access.server, ...normalised(bound) };
    await this.#database.write('main', (tx) => insertBinding(tx, row));
  }

  /** Takes back what was published of an address: at one server, or wherever we know of. @throws MatrixError */
  async unbind(userId: UserId, asked: ThirdPartyAddress, server: ServerName | undefined): Promise<UnbindResult> {
    const { medium, address } = normalised(asked);
    const known = (await this.#database.read((tx) => bindingsOf(tx, userId))).filter(
      (row) => row.medium === medium && row.address === address,
    );
    const rows = server === undefined ? known : [{ user_id: userId, medium, address, id_server: server }];
    return this.#unbindAll(rows);
  }

  /** Takes back all that a user has published, as far as the servers can be reached: they are asked once. */
  async unbindAll(userId: UserId): Promise<UnbindResult> {
    const rows = await this.#database.read((tx) => bindingsOf(tx, userId));
    if (rows.length === 0) return 'success';
    return this.#unbindAll(rows).catch(() => 'no-support' as const);
  }

  async #unbindAll(rows: readonly BindingRow[]): Promise<UnbindResult> {
    let isDone = rows.length > 0;
    for (const row of rows) {
      const server = this.#servers.named(row.id_server);
      const isUnbound = await this.#servers.unbind(server, row.user_id, row);
      if (isUnbound) await this.#database.write('main', (tx) => deleteBinding(tx, row));
      else isDone = false;
    }
    return isDone ? 'success' : 'no-support';
  }
}

/** Spec: appendices/#3pid-types */
function normalised({ medium, address }: ThirdPartyAddress): ThirdPartyAddress {
  return { medium, address: medium === 'email' ? address.trim().toLowerCase() : address };
}
