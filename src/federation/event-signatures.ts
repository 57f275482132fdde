import { signingKeyIds } from '../protocol/crypto/index.ts';
import { type Event, requiredSigners, verifyEventSignature } from '../protocol/event/index.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { KeyRing } from './keys/key-ring.ts';

/** A server makes a few signatures on an event, not more. */
const SIGNATURES_MAX = 10;

/** Checks the signatures that events must bear. */
export class EventSignatures {
  readonly #keyRing: KeyRing;

  constructor(keyRing: KeyRing) {
    this.#keyRing = keyRing;
  }

  /**
   * Whether the event bears a valid signature of every server that must have signed it; verified in the thread pool.
   * Spec: server-server-api/#validating-hashes-and-signatures-on-received-events
   */
  async areValid(event: Event): Promise<boolean> {
    for (const server of requiredSigners(event)) if (!(await this.#isSignedBy(event, server))) return false;
    return true;
  }

  /** Has the keys at hand for a lot of events. */
  async prefetchFor(events: Iterable<Event>): Promise<void> {
    const servers = new Set<ServerName>();
    for (const event of events) for (const server of requiredSigners(event)) servers.add(server);
    await this.#keyRing.prefetch(servers);
  }

  async #isSignedBy(event: Event, server: ServerName): Promise<boolean> {
    const signedTs = event.rules.keyValidity ? event.originServerTs : undefined;
    for (const keyId of signingKeyIds(event.pdu, server).slice(0, SIGNATURES_MAX)) {
      const publicKey = await this.#keyRing.find(server, keyId, signedTs);
      if (publicKey !== undefined && (await verifyEventSignature(event, server, keyId, publicKey))) return true;
    }
    return false;
  }
}
