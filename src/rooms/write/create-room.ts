import { invalidParam, MatrixError } from '../../protocol/errors.ts';
import { parseUserId, type RoomAlias, type RoomId, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { isStringArray, type JsonObject, type JsonValue } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import { isUniqueViolation } from '../../storage/errors.ts';
import { findAlias, insertAlias } from '../store/index.ts';
import type { Aliases } from './aliases.ts';
import { checkPowerLevels } from './checks.ts';
import type { WriteDeps } from './deps.ts';
import { type Memberships, profileContent } from './memberships.ts';
import { NewRoom, requestedRules } from './new-room.ts';
import { defaultPowerLevels, PRESETS, type PresetRules, type RoomPreset } from './room-presets.ts';

/** A state event for a new room. */
export interface InitialState {
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/** The options of createRoom. */
export interface CreateRoomOptions {
  readonly visibility?: 'public' | 'private' | undefined;
  readonly aliasLocalpart?: string | undefined;
  readonly name?: string | undefined;
  readonly topic?: string | undefined;
  readonly invite?: readonly UserId[] | undefined;
  readonly roomVersion?: string | undefined;
  readonly creationContent?: JsonObject | undefined;
  readonly initialState?: readonly InitialState[] | undefined;
  readonly preset?: RoomPreset | undefined;
  readonly isDirect?: boolean | undefined;
  readonly powerLevels?: JsonObject | undefined;
  /** Not encrypted, whatever is the policy of its preset. */
  readonly isPlain?: boolean | undefined;
}

/** One request is one transaction; more can be invited later. */
const INVITES_MAX = 500;
const INITIAL_STATE_MAX = 500;

/** What the server says of all new rooms. */
export interface NewRoomPolicy {
  readonly defaultVersion: string;
  /** Presets whose rooms are encrypted, whatever the client says. */
  readonly encryptedPresets: readonly RoomPreset[];
}

/** Creates rooms. Spec: client-server-api/#post_matrixclientv3createroom */
export class RoomCreation {
  readonly #deps: WriteDeps;
  readonly #memberships: Memberships;
  readonly #aliases: Aliases;
  readonly #policy: NewRoomPolicy;

  constructor(deps: WriteDeps, memberships: Memberships, aliases: Aliases, policy: NewRoomPolicy) {
    this.#deps = deps;
    this.#memberships = memberships;
    this.#aliases = aliases;
    this.#policy = policy;
  }

  /**
   * Creates a room with all that the options say, in one transaction.
   * @throws MatrixError `M_ROOM_IN_USE`, `M_INVALID_ROOM_STATE`, `M_UNSUPPORTED_ROOM_VERSION`, `M_INVITE_BLOCKED`
   */
  async create(creator: UserId, options: CreateRoomOptions): Promise<RoomId> {
    const { serverName } = this.#deps;
    const rules = requestedRules(options.roomVersion ?? this.#policy.defaultVersion);
    const presetName = options.preset ?? (options.visibility === 'public' ? 'public_chat' : 'private_chat');
    const preset = PRESETS[presetName];
    const isEncrypted = options.isPlain !== true && this.#policy.encryptedPresets.includes(presetName);
    const invitees = [...new Set(options.invite)].filter((userId) => userId !== creator);
    if (invitees.length > INVITES_MAX) throw invalidParam(`A new room can invite at most ${INVITES_MAX} users`);
    if ((options.initialState?.length ?? 0) > INITIAL_STATE_MAX) {
      throw invalidParam(`A new room can have at most ${INITIAL_STATE_MAX} initial state events`);
    }
    const alias = await this.#freeAlias(options.aliasLocalpart);
    const profile = await this.#deps.accounts.getProfile(creator);
    this.#deps.limits.invites(creator, invitees.length);
    const invitations = await this.#invitations(creator, invitees, options.isDirect === true);
    // A shadow-banned user has the room to themselves.
    if (this.#deps.shadows.has(creator)) invitations.length = 0;

    const trusted = preset.trustsInvitees ? invitees : [];
    const room = new NewRoom(this.#deps, rules, creator, createContent(rules, creator, trusted, options));
    room.add('m.room.member', creator, { membership: 'join', ...profileContent(profile) });
    room.add('m.room.power_levels', '', powerLevels(rules, creator, trusted, preset, options));
    if (alias !== undefined) room.add('m.room.canonical_alias', '', { alias });
    for (const { type, stateKey, content } of stateOf(preset, isEncrypted, options)) room.add(type, stateKey, content);
    const isRemote = (userId: UserId) => serverNameOf(userId) !== serverName;
    for (const [userId, content] of invitations) if (!isRemote(userId)) room.add('m.room.member', userId, content);

    await this.#write(room, creator, alias, options.visibility === 'public' && !this.#deps.shadows.has(creator));
    await this.#inviteRemote(
      room.roomId,
      creator,
      invitations.filter(([userId]) => isRemote(userId)),
    );
    return room.roomId;
  }

  /** The room is there, whether the others' servers answer or not: who couldn't be invited can be invited later. */
  async #inviteRemote(roomId: RoomId, creator: UserId, invitations: readonly (readonly [UserId, JsonObject])[]) {
    const { federated } = this.#deps;
    const sent = invitations.map(([userId, content]) => federated?.invites.send(roomId, creator, userId, content));
    await Promise.allSettled(sent);
  }

  async #write(room: NewRoom, creator: UserId, alias: RoomAlias | undefined, isPublic: boolean): Promise<void> {
    try {
      await room.write(
        isPublic,
        alias === undefined ? [] : [(tx, roomNid) => insertAlias(tx, alias, roomNid, creator)],
      );
    } catch (error) {
      // Only the alias can be there already: the rest of the room is new.
      throw alias !== undefined && isUniqueViolation(error) ? roomInUse(alias) : error;
    }
  }

  async #freeAlias(localpart: string | undefined): Promise<RoomAlias | undefined> {
    if (localpart === undefined) return undefined;
    const alias = this.#aliases.ofLocalpart(localpart);
    const row = await this.#deps.database.read((tx) => findAlias(tx, alias));
    if (row !== undefined) throw roomInUse(alias);
    return alias;
  }

  async #invitations(creator: UserId, invitees: readonly UserId[], isDirect: boolean) {
    const extra = isDirect ? { is_direct: true } : {};
    const invitations: (readonly [UserId, JsonObject])[] = [];
    for (const userId of invitees) {
      invitations.push([userId, await this.#memberships.invitation(creator, userId, undefined, extra)]);
    }
    return invitations;
  }
}

function roomInUse(alias: RoomAlias): MatrixError {
  return new MatrixError('M_ROOM_IN_USE', `The alias ${alias} is taken`, { status: 400 });
}

function createContent(
  rules: RoomVersionRules,
  creator: UserId,
  trusted: readonly UserId[],
  { creationContent = {} }: CreateRoomOptions,
): JsonObject {
  const { creator: _creator, room_version: _version, additional_creators: asked, ...rest } = creationContent;
  const content: Record<string, JsonValue> = { ...rest, room_version: rules.id };
  if (!rules.creatorFromSender) content.creator = creator;
  if (rules.privilegedCreators) {
    const additional = additionalCreators(creator, asked, trusted);
    if (additional.length > 0) content.additional_creators = additional;
  }
  return content;
}

/** @throws MatrixError `M_INVALID_PARAM` where they aren't user ids */
export function additionalCreators(
  creator: UserId,
  asked: JsonValue | undefined,
  trusted: readonly UserId[],
): readonly string[] {
  if (asked !== undefined && (!isStringArray(asked) || asked.some((user) => parseUserId(user) === undefined))) {
    throw invalidParam('additional_creators must be an array of user ids');
  }
  return [...new Set([...(asked ?? []), ...trusted])].filter((user) => user !== creator);
}

function powerLevels(
  rules: RoomVersionRules,
  creator: UserId,
  trusted: readonly UserId[],
  preset: PresetRules,
  options: CreateRoomOptions,
): JsonObject {
  const content = { ...defaultPowerLevels(rules, creator, trusted, preset.inviteLevel), ...options.powerLevels };
  checkPowerLevels(content);
  return content;
}

/** Preset, initial state, name and topic: the later one wins, the order is the specification's. */
function stateOf(preset: PresetRules, isEncrypted: boolean, options: CreateRoomOptions): readonly InitialState[] {
  const initial = (options.initialState ?? []).filter(
    ({ type, stateKey }) =>
      !(stateKey === '' && type === 'm.room.name' && options.name !== undefined) &&
      !(stateKey === '' && type === 'm.room.topic' && options.topic !== undefined),
  );
  const given = new Set(initial.filter(({ stateKey }) => stateKey === '').map(({ type }) => type));
  return [
    ...presetState(preset, isEncrypted).filter(({ type }) => !given.has(type)),
    ...initial,
    ...(options.name === undefined ? [] : [state('m.room.name', { name: options.name })]),
    ...(options.topic === undefined ? [] : [state('m.room.topic', topicContent(options.topic))]),
  ];
}

function presetState(
  { joinRule, historyVisibility, guestAccess }: PresetRules,
  isEncrypted: boolean,
): readonly InitialState[] {
  return [
    state('m.room.join_rules', { join_rule: joinRule }),
    state('m.room.history_visibility', { history_visibility: historyVisibility }),
    state('m.room.guest_access', { guest_access: guestAccess }),
    ...(isEncrypted ? [state('m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })] : []),
  ];
}

/** Spec: client-server-api/#mroomtopic */
function topicContent(topic: string): JsonObject {
  return { topic, 'm.topic': { 'm.text': [{ body: topic, mimetype: 'text/plain' }] } };
}

function state(type: string, content: JsonObject): InitialState {
  return { type, stateKey: '', content };
}
