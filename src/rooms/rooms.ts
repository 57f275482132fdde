import type { Clock } from '../clock.ts';
import type { EventId, RoomAlias, RoomId, ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import { PartialRooms } from './partial-rooms.ts';
import { PolicyServers } from './policy-servers.ts';
import { makeReading, type Reading, RemoteRoomPreviews, RoomReads } from './read/index.ts';
import { explainState } from './receive/explain-state.ts';
import { FederatedRooms } from './receive/index.ts';
import { ALL_INVITES, NO_GUESTS, NO_LOG, NO_SETTINGS, type RoomsDeps } from './rooms-deps.ts';
import type { RoomSnapshot } from './snapshot.ts';
import { deleteExpiredSticky, EventReader, StateKeys } from './store/index.ts';
import { StateTree } from './store/state-tree.ts';
import {
  Aliases,
  type CreateRoomOptions,
  DEFAULT_RULES_ONLY,
  HotRooms,
  MembershipLimits,
  type MembershipRequest,
  Memberships,
  Messages,
  NOBODY,
  NoticeRooms,
  type OwnMembershipRequest,
  type RedactRequest,
  type ResolvedAlias,
  Reviews,
  RoomBatches,
  RoomCreation,
  RoomUpgrades,
  RoomWriter,
  type SendRequest,
  type SetStateRequest,
  Shadows,
  ThirdPartyInvites,
  Transactions,
  type UpgradeRequest,
} from './write/index.ts';

/** Everything that can be done with rooms. Its verbs are in write/, read/ and ephemeral/. */
export class Rooms {
  /** Reads events through the one cache of them. */
  readonly events = new EventReader();
  readonly stateTree = new StateTree();
  readonly stateKeys = new StateKeys();
  /** The rooms that were joined with a part of their state. */
  readonly partial = new PartialRooms();
  /** What readers share, for those who read in their own way (sync, receipts). */
  readonly reading: Reading;
  /** Timelines, events, state and members as clients get them. */
  readonly reads: RoomReads;
  /** Aliases and the published directory. */
  readonly aliases: Aliases;
  /** Invites by e-mail. */
  readonly thirdPartyInvites: ThirdPartyInvites;
  /** The rooms as other servers take part in them; undefined where this server doesn't federate. */
  readonly federated: FederatedRooms | undefined;
  /** See explainState. */
  readonly explainState: (roomId: RoomId, eventId: EventId | undefined) => Promise<readonly string[]>;
  readonly #hotRooms: HotRooms;
  readonly #memberships: Memberships;
  readonly #messages: Messages;
  readonly #creation: RoomCreation;
  readonly #upgrades: RoomUpgrades;
  readonly #transactions: Transactions;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #serverName: ServerName;

  constructor(deps: RoomsDeps) {
    const { database, hub, clock, serverName, signingKey, accounts } = deps;
    const { events: reader, stateTree, stateKeys } = this;
    const stores = { reader, stateTree, stateKeys };
    const { forgetsOnLeave = false } = deps;
    this.#database = database;
    this.#clock = clock;
    this.#serverName = serverName;
    const remotePreviews =
      deps.federation && new RemoteRoomPreviews({ database, clock, serverName, source: deps.federation.lookups });
    const { erasedUsers } = deps;
    const sources = { events: reader, stateTree, stateKeys, accounts, remotePreviews, erasedUsers };
    this.reading = makeReading({ database, clock, ...sources });
    this.#hotRooms = new HotRooms(database, stores);
    this.#transactions = new Transactions(database);
    const hotRooms = this.#hotRooms;
    const batches = new RoomBatches({
      database,
      hotRooms,
      hub,
      clock,
      serverName,
      persist: { ...stores, forgetsOnLeave },
      typing: deps.typing,
      onStateChanged: (roomId, roomNid) => void this.federated?.sticky.reconsider(roomId, roomNid),
    });
    const pushRules = deps.pushRules ?? DEFAULT_RULES_ONLY;
    const { federation, log = NO_LOG, invitePolicy = ALL_INVITES } = deps;
    const limits = new MembershipLimits(deps.rates);
    const shadows = new Shadows(deps.shadowBans ?? NOBODY);
    const policyServers = federation && new PolicyServers(federation.calls, clock);
    const reviews = policyServers && this.#reviews(policyServers, () => writer);
    const common = { hotRooms, clock, serverName, forgetsOnLeave };
    const writer = new RoomWriter({ ...common, batches, signingKey, pushRules, shadows, reviews });
    const { partial } = this;
    const joining = { hub, partial, partialJoins: deps.partialJoins ?? true };
    const asked = { accounts, invitePolicy, shadows, limits, erasedUsers };
    const received = { ...stores, ...common, ...joining, ...asked, database, writer, log };
    const others = federation && policyServers && { ...received, federation, policyServers };
    this.federated = others && new FederatedRooms(others, this.reading.states);
    this.explainState = (roomId, eventId) => explainState({ ...stores, database, hotRooms }, roomId, eventId);
    this.reads = new RoomReads(this.reading, this.federated?.history, partial);
    const write = {
      database,
      hotRooms,
      hub,
      reader,
      clock,
      serverName,
      accounts,
      transactions: this.#transactions,
      writer,
      federated: this.federated,
      partial,
      guests: deps.guests ?? NO_GUESTS,
      invitePolicy,
      shadows,
      limits,
      notices: new NoticeRooms(deps.noticesUser),
      personalSettings: deps.personalSettings ?? NO_SETTINGS,
    };
    this.aliases = new Aliases(write);
    this.#memberships = new Memberships(write);
    this.thirdPartyInvites = new ThirdPartyInvites(write, this.#memberships);
    this.#messages = new Messages(write, this.#memberships);
    this.#creation = new RoomCreation(write, this.#memberships, this.aliases, {
      defaultVersion: deps.defaultVersion,
      encryptedPresets: deps.encryptedPresets ?? [],
    });
    this.#upgrades = new RoomUpgrades(write);
  }

  /** The committed state of a room, or undefined where we don't know the room. */
  async snapshot(roomId: RoomId): Promise<RoomSnapshot | undefined> {
    return (await this.#hotRooms.find(roomId))?.snapshot();
  }

  /**
   * The room that an id or alias means, and servers that know it beside ourselves. An alias of another server is asked for
   * there. @throws MatrixError 404 for an unknown alias
   */
  async resolve(roomIdOrAlias: RoomId | RoomAlias): Promise<ResolvedAlias> {
    return isAlias(roomIdOrAlias) ? this.aliases.resolve(roomIdOrAlias) : { roomId: roomIdOrAlias, servers: [] };
  }

  /** Whether one of our users is in the room. */
  async isResident(roomId: RoomId): Promise<boolean> {
    return (await this.#hotRooms.find(roomId))?.isResident(this.#serverName) ?? false;
  }

  /** See RoomCreation.create. */
  create(creator: UserId, options: CreateRoomOptions): Promise<RoomId> {
    return this.#creation.create(creator, options);
  }

  /** See RoomUpgrades.upgrade. */
  upgrade(request: UpgradeRequest): Promise<RoomId> {
    return this.#upgrades.upgrade(request);
  }

  /** See Messages.send. */
  send(request: SendRequest): Promise<EventId> {
    return this.#messages.send(request);
  }

  /** See Messages.setState. */
  setState(request: SetStateRequest): Promise<EventId> {
    return this.#messages.setState(request);
  }

  /** What a delayed event became, if it was sent. MSC4140 */
  findDelayed(sender: UserId, delayId: string): Promise<EventId | undefined> {
    return this.#messages.findDelayed(sender, delayId);
  }

  /** See Messages.redact. */
  redact(request: RedactRequest): Promise<EventId> {
    return this.#messages.redact(request);
  }

  /** See Memberships.join. */
  join(request: OwnMembershipRequest): Promise<EventId> {
    return this.#memberships.join(request);
  }

  /** See Memberships.leave. */
  leave(request: OwnMembershipRequest): Promise<EventId> {
    return this.#memberships.leave(request);
  }

  /** See Memberships.knock. */
  knock(request: OwnMembershipRequest): Promise<EventId> {
    return this.#memberships.knock(request);
  }

  /** See Memberships.invite. */
  invite(request: MembershipRequest): Promise<EventId> {
    return this.#memberships.invite(request);
  }

  /** See Memberships.kick. */
  kick(request: MembershipRequest): Promise<EventId> {
    return this.#memberships.kick(request);
  }

  /** See Memberships.ban. */
  ban(request: MembershipRequest): Promise<EventId> {
    return this.#memberships.ban(request);
  }

  /** See Memberships.unban. */
  unban(request: MembershipRequest): Promise<EventId> {
    return this.#memberships.unban(request);
  }

  /** See Memberships.forget. */
  forget(roomId: RoomId, userId: UserId): Promise<void> {
    return this.#memberships.forget(roomId, userId);
  }

  /** The rooms that a user is in. */
  joinedRooms(userId: UserId): Promise<readonly RoomId[]> {
    return this.#memberships.roomsOf(userId, ['join']);
  }

  /** The rooms that a user is in, invited to, or knocks at. */
  openMemberships(userId: UserId): Promise<readonly RoomId[]> {
    return this.#memberships.roomsOf(userId, ['join', 'invite', 'knock']);
  }

  /** Sends the user's membership again with the profile of now, unless it says that already. */
  publishProfile(roomId: RoomId, userId: UserId): Promise<void> {
    return this.#memberships.publishProfile(roomId, userId);
  }

  #reviews(servers: PolicyServers, writer: () => RoomWriter): Reviews {
    return new Reviews(servers, {
      writer,
      serverName: this.#serverName,
      putLate: async (event, putting) => this.federated?.receiver.putOwn(event, putting),
    });
  }

  /** Forgets what has expired. To be called now and then, such as once a day. */
  deleteExpired(): Promise<void> {
    return this.#transactions.deleteExpired(this.#clock.now());
  }

  /** Forgets which events were sticky that aren't any more. To be called every few minutes. */
  deleteExpiredSticky(): Promise<void> {
    return this.#database.write('main', (tx) => deleteExpiredSticky(tx, this.#clock.now()));
  }
}

function isAlias(id: RoomId | RoomAlias): id is RoomAlias {
  return id.startsWith('#');
}
