import type { Clock } from '../../clock.ts';
import type { EventSignatures, FederationCalls, RemoteLookups } from '../../federation/index.ts';
import type { RoomId, ServerName } from '../../protocol/ids/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Hub } from '../../streams/index.ts';
import type { PartialRooms } from '../partial-rooms.ts';
import type { PolicyServers } from '../policy-servers.ts';
import type { ErasedUsers } from '../read/reading.ts';
import type { EventReader, StateKeys } from '../store/index.ts';
import type { StateTree } from '../store/state-tree.ts';
import type { AccountSource, InvitePolicy } from '../write/deps.ts';
import type { HotRooms } from '../write/hot-rooms.ts';
import type { MembershipLimits } from '../write/membership-limits.ts';
import type { RoomWriter } from '../write/room-writer.ts';
import type { Shadows } from '../write/shadows.ts';

/** What is worth a line in the log. */
export interface ReceiveLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What of federation the rooms use. */
export interface RoomFederation {
  readonly calls: FederationCalls;
  readonly signatures: EventSignatures;
  readonly lookups: RemoteLookups;
}

/** What those who take events from other servers share. */
export interface ReceiveDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly accounts: AccountSource;
  readonly invitePolicy: InvitePolicy;
  readonly hotRooms: HotRooms;
  readonly writer: RoomWriter;
  readonly reader: EventReader;
  readonly stateTree: StateTree;
  readonly stateKeys: StateKeys;
  readonly federation: RoomFederation;
  readonly partial: PartialRooms;
  /** Whether rooms are joined with a part of their state where the other server can do that. */
  readonly partialJoins: boolean;
  readonly policyServers: PolicyServers;
  readonly shadows: Shadows;
  readonly limits: MembershipLimits;
  readonly erasedUsers?: ErasedUsers | undefined;
  /** Whether who leaves a room forgets it at once. */
  readonly forgetsOnLeave: boolean;
  readonly log: ReceiveLog;
}

/** A room as far as its events need it. */
export interface RoomFacts {
  readonly roomId: RoomId;
  readonly roomNid: number;
  readonly rules: RoomVersionRules;
}
