import type { RoomVersionId } from '../ids/brands.ts';

/** What sets one room version apart from another. The comment names the version that brought it. */
export interface RoomVersionRules {
  readonly id: RoomVersionId;
  /** All versions we know are stable. */
  readonly stable: true;
  /** Where an event's id is from: its own field (v1), or its reference hash in base64 (v3) or URL-safe base64 (v4). */
  readonly eventIds: 'in-event' | 'hash-base64' | 'hash-urlsafe';
  /** v1: by depth; v2: by auth chains; v12: from an empty state, with the conflicted subgraph. */
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** Numbers must be integers within ±(2^53-1) (v6). */
  readonly strictCanonicalJson: boolean;
  /** A signing key must have been valid when the event was made (v5). */
  readonly keyValidity: boolean;
  /** `m.room.aliases` has an auth rule of its own and keeps `aliases` when redacted (v1 to v5). */
  readonly aliasesAuth: boolean;
  /** The rules for power levels look at `notifications` too (v6). */
  readonly notificationsPowerLevels: boolean;
  /** Redactions are judged by the auth rules (v1 and v2). */
  readonly redactionAuthRule: boolean;
  /** Membership `knock` and join rule `knock` (v7). */
  readonly knocking: boolean;
  /** Join rule `restricted`; `m.room.join_rules` keeps `allow` when redacted (v8). */
  readonly restricted: boolean;
  /** `m.room.member` keeps `join_authorised_via_users_server` when redacted (v9). */
  readonly restrictedMembershipKept: boolean;
  /** Join rule `knock_restricted` (v10). */
  readonly knockRestricted: boolean;
  /** Power levels must be integers, not strings or floats (v10). */
  readonly integerPowerLevels: boolean;
  /** `redacts` stands in the content of `m.room.redaction` (v11). */
  readonly redactsInContent: boolean;
  /** The redaction algorithm of v11. */
  readonly updatedRedaction: boolean;
  /** The creator is the sender of `m.room.create`, which has no `creator` (v11). */
  readonly creatorFromSender: boolean;
  /** The room id is the hash of `m.room.create`, which has no `room_id` (v12). */
  readonly createEventIsRoomId: boolean;
  /** Creators, `additional_creators` included, have infinite power (v12). */
  readonly privilegedCreators: boolean;
}

type Changes = Partial<Omit<RoomVersionRules, 'id' | 'stable'>>;

const v1: RoomVersionRules = {
  id: '1' as RoomVersionId,
  stable: true,
  eventIds: 'in-event',
  stateResolution: 'v1',
  strictCanonicalJson: false,
  keyValidity: false,
  aliasesAuth: true,
  notificationsPowerLevels: false,
  redactionAuthRule: true,
  knocking: false,
  restricted: false,
  restrictedMembershipKept: false,
  knockRestricted: false,
  integerPowerLevels: false,
  redactsInContent: false,
  updatedRedaction: false,
  creatorFromSender: false,
  createEventIsRoomId: false,
  privilegedCreators: false,
};

/** A version is the one before, plus what it changed. */
function next(before: RoomVersionRules, id: string, changes: Changes): RoomVersionRules {
  return { ...before, ...changes, id: id as RoomVersionId };
}

const v2 = next(v1, '2', { stateResolution: 'v2' });
const v3 = next(v2, '3', { eventIds: 'hash-base64', redactionAuthRule: false });
const v4 = next(v3, '4', { eventIds: 'hash-urlsafe' });
const v5 = next(v4, '5', { keyValidity: true });
const v6 = next(v5, '6', { strictCanonicalJson: true, aliasesAuth: false, notificationsPowerLevels: true });
const v7 = next(v6, '7', { knocking: true });
const v8 = next(v7, '8', { restricted: true });
const v9 = next(v8, '9', { restrictedMembershipKept: true });
const v10 = next(v9, '10', { knockRestricted: true, integerPowerLevels: true });
const v11 = next(v10, '11', { redactsInContent: true, updatedRedaction: true, creatorFromSender: true });
const v12 = next(v11, '12', { stateResolution: 'v2.1', createEventIsRoomId: true, privilegedCreators: true });

/** Every room version we know, oldest first. Spec: rooms/#complete-list-of-room-versions */
export const ROOM_VERSIONS: readonly RoomVersionRules[] = [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12];

/** What new rooms get where nobody asked for another. Spec: rooms/#complete-list-of-room-versions */
export const DEFAULT_ROOM_VERSION: RoomVersionId = v12.id;

/** What a create event without `room_version` means. Spec: client-server-api/#mroomcreate */
export const IMPLICIT_ROOM_VERSION: RoomVersionId = v1.id;

const BY_ID: ReadonlyMap<string, RoomVersionRules> = new Map(ROOM_VERSIONS.map((rules) => [rules.id, rules]));

/** The rules of a room version, or undefined where we don't know it. */
export function roomVersionRules(id: string): RoomVersionRules | undefined {
  return BY_ID.get(id);
}
