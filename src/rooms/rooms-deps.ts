import type { Clock } from '../clock.ts';
import type { SigningKey } from '../protocol/crypto/index.ts';
import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import type { ErasedUsers, IgnoredUsers } from './read/reading.ts';
import type { ReceiveLog, RoomFederation } from './receive/index.ts';
import type {
  AccountSource,
  GuestSource,
  InvitePolicy,
  MembershipRates,
  PersonalRoomSettings,
  PushRuleSource,
  RoomPreset,
  ShadowBanSource,
  TypingEnd,
} from './write/index.ts';

/** What rooms are made of. Those that aren't given are as if nobody used them. */
export interface RoomsDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly signingKey: SigningKey;
  /** The version of rooms for which the client names none. */
  readonly defaultVersion: string;
  /** Presets whose new rooms are encrypted, whatever the client says. */
  readonly encryptedPresets?: readonly RoomPreset[] | undefined;
  /** Whether who leaves a room forgets it at once; without it nobody does. */
  readonly forgetsOnLeave?: boolean | undefined;
  readonly accounts: AccountSource & IgnoredUsers;
  readonly pushRules?: PushRuleSource;
  readonly guests?: GuestSource;
  readonly invitePolicy?: InvitePolicy;
  readonly shadowBans?: ShadowBanSource;
  readonly rates?: MembershipRates;
  /** The user in whose name the server speaks to its users. */
  readonly noticesUser?: UserId;
  readonly erasedUsers?: ErasedUsers;
  readonly personalSettings?: PersonalRoomSettings;
  /** Without it, rooms end at this server. */
  readonly federation?: RoomFederation | undefined;
  /** Whether rooms are joined with a part of their state, where that is possible. Default true. */
  readonly partialJoins?: boolean;
  readonly log?: ReceiveLog | undefined;
  /** Is told when a user has nothing more to type in a room. */
  readonly typing?: TypingEnd;
}

export const NO_GUESTS: GuestSource = { guestsAmong: async () => [] };
export const ALL_INVITES: InvitePolicy = { blocksInvites: async () => false };
export const NO_LOG: ReceiveLog = { info: () => undefined, warn: () => undefined };
export const NO_SETTINGS: PersonalRoomSettings = { copy: async () => undefined };
