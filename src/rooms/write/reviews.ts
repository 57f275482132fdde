import { checkAuth } from '../../protocol/auth/index.ts';
import { forbidden } from '../../protocol/errors.ts';
import { type Event, isPolicyExempt, type PolicyServer } from '../../protocol/event/index.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import type { PolicyServers } from '../policy-servers.ts';
import { followsAll, isAuthorisedByCurrent } from '../receive/arrival-checks.ts';
import { type HotRoom, RoomIsHeld } from './hot-room.ts';
import type { Putting, RoomWriter } from './room-writer.ts';

/** Puts an event of ours into a room that went on without it. @throws MatrixError 403 where it is no longer allowed */
export type PutLate = (event: Event, putting: Putting) => Promise<void>;

/**
 * Our events in rooms with a policy server: they are signed there before they go into the room. The room goes on meanwhile,
 * so that such an event may come beside others, as if another server had sent it.
 * Spec: server-server-api/#policy-servers
 */
export class Reviews {
  readonly #servers: PolicyServers;
  readonly #putLate: PutLate;
  readonly #writer: () => RoomWriter;
  readonly #serverName: ServerName;

  constructor(
    servers: PolicyServers,
    parts: { readonly putLate: PutLate; readonly writer: () => RoomWriter; readonly serverName: ServerName },
  ) {
    this.#serverName = parts.serverName;
    this.#servers = servers;
    this.#putLate = parts.putLate;
    this.#writer = parts.writer;
  }

  /** Who has to sign an event in a room. @throws StateNotLoaded */
  policyOf(room: HotRoom, event: Event): PolicyServer | undefined {
    const policy = isPolicyExempt(event) ? undefined : room.policyServer();
    // One that shares our name stands beside us: the other servers ask it.
    return policy?.via === this.#serverName ? undefined : policy;
  }

  /** The event with the policy server's signature. @throws MatrixError what the client is told */
  sign(policy: PolicyServer, event: Event): Promise<Event> {
    return this.#servers.sign(policy, event);
  }

  /** Has an event signed and puts it into its room; resolves when it is durable. @throws MatrixError */
  async append(policy: PolicyServer, event: Event, putting: Putting): Promise<void> {
    const signed = await this.#servers.sign(policy, event);
    const writer = this.#writer();
    const { written } = await writer.read(event.roomId, (room) => {
      if (room.held !== undefined) throw new RoomIsHeld(room.held);
      if (!followsAll(room, signed) || !isAuthorisedByCurrent(room, signed)) return { written: undefined };
      const verdict = checkAuth(signed, room.auth);
      if (!verdict.allowed) throw forbidden(verdict.reason);
      return { written: writer.put(room, signed, putting) };
    });
    await (written ?? this.#putLate(signed, putting));
  }
}
