/** What comes into rooms from other servers, what they are given of rooms, and what of ours goes through them. */
import { toClientError } from '../../federation/index.ts';
import type { RoomAlias, ServerName } from '../../protocol/ids/index.ts';
import type { StateReader } from '../read/state-reader.ts';
import { Backfill } from './backfill.ts';
import type { ReceiveDeps } from './deps.ts';
import { Invites } from './invites.ts';
import { RemoteHistory } from './older-history.ts';
import { OutOfBand } from './out-of-band.ts';
import { Receiver } from './receiver.ts';
import { RemoteMemberships } from './remote-memberships.ts';
import { RoomCompletion } from './room-completion.ts';
import { RoomQueues } from './room-queues.ts';
import { ServeHistory } from './serve-history.ts';
import { ServeMemberships } from './serve-memberships.ts';
import { ServePreviews } from './serve-previews.ts';
import { StickyArrivals } from './sticky-arrivals.ts';

export type { Outcomes } from './arrival.ts';
export type { ReceiveDeps, ReceiveLog, RoomFederation } from './deps.ts';
export type { IncomingInvite } from './invites.ts';
export type { ServedState } from './serve-history.ts';
export type { SentEvent, ServedMembership, Template, TemplateRequest } from './serve-memberships.ts';

/** The rooms as one of many servers has them. */
export class FederatedRooms {
  readonly receiver: Receiver;
  readonly sticky: StickyArrivals;
  readonly memberships: RemoteMemberships;
  /** Sees to it that partial rooms become whole. */
  readonly completion: RoomCompletion;
  readonly invites: Invites;
  readonly serveMemberships: ServeMemberships;
  readonly serveHistory: ServeHistory;
  readonly servePreviews: ServePreviews;
  /** The past of rooms as other servers know it. */
  readonly history: RemoteHistory;
  readonly #deps: ReceiveDeps;

  constructor(deps: ReceiveDeps, states: StateReader) {
    const queues = new RoomQueues();
    const outOfBand = new OutOfBand(deps);
    this.sticky = new StickyArrivals(deps, queues);
    this.receiver = new Receiver(deps, queues, outOfBand, this.sticky);
    this.completion = new RoomCompletion(deps, queues);
    this.memberships = new RemoteMemberships(deps, queues, this.receiver, outOfBand, this.completion);
    this.invites = new Invites(deps, this.receiver, outOfBand);
    this.serveMemberships = new ServeMemberships(deps, this.receiver);
    this.serveHistory = new ServeHistory(deps, states, this.serveMemberships);
    this.servePreviews = new ServePreviews(deps, states);
    this.history = new RemoteHistory(deps, new Backfill(deps, queues));
    this.#deps = deps;
  }

  /** Where an alias of another server leads. @throws MatrixError 404, 502 */
  async directory(server: ServerName, alias: RoomAlias) {
    try {
      return await this.#deps.federation.calls.directory(server, alias);
    } catch (error) {
      throw toClientError(error);
    }
  }
}
