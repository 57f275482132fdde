import { forbidden, MatrixError } from '../../protocol/errors.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import { findRoom, moveAliases, setRoomPublic } from '../store/index.ts';
import { assertJoined } from './checks.ts';
import { additionalCreators } from './create-room.ts';
import type { WriteDeps } from './deps.ts';
import { type HotRoom, type StateEntry, StateNotLoaded } from './hot-room.ts';
import { profileContent } from './memberships.ts';
import { NewRoom, requestedRules } from './new-room.ts';
import {
  closedPowerLevels,
  isMoved,
  KEYED_TYPES,
  movedContent,
  movedPowerLevels,
  replacementCreation,
} from './upgrade-state.ts';

export interface UpgradeRequest {
  readonly roomId: RoomId;
  readonly sender: UserId;
  readonly newVersion: string;
  readonly additionalCreators?: readonly string[] | undefined;
}

/** What the replacement is made from. */
interface OldRoom {
  readonly roomNid: number;
  readonly lastEvent: string | undefined;
  readonly create: Event | undefined;
  readonly moved: readonly Event[];
  readonly canonicalAlias: JsonObject | undefined;
  readonly levels: JsonObject;
}

/** Replaces rooms by rooms of another version. Spec: client-server-api/#room-upgrades */
export class RoomUpgrades {
  readonly #deps: WriteDeps;
  readonly #underWay = new Map<RoomId, Promise<RoomId>>();

  constructor(deps: WriteDeps) {
    this.#deps = deps;
  }

  /**
   * Makes a replacement, moves what can be moved, and closes the old room. Returns the new room's id.
   * @throws MatrixError `M_UNSUPPORTED_ROOM_VERSION`, 403, `M_BAD_STATE` where an upgrade is under way or done
   */
  async upgrade(request: UpgradeRequest): Promise<RoomId> {
    const { roomId } = request;
    if (this.#underWay.has(roomId)) throw new MatrixError('M_BAD_STATE', 'The room is being upgraded');
    const upgrading = this.#upgrade(request).finally(() => this.#underWay.delete(roomId));
    this.#underWay.set(roomId, upgrading);
    return upgrading;
  }

  async #upgrade({ roomId, sender, newVersion, additionalCreators: asked }: UpgradeRequest): Promise<RoomId> {
    const rules = requestedRules(newVersion);
    const old = await this.#deps.writer.read(roomId, (room) => {
      assertMayReplace(room, sender);
      return oldRoomOf(room);
    });
    const creators = rules.privilegedCreators ? additionalCreators(sender, asked && [...asked], []) : [];
    const replacement = await this.#makeReplacement(roomId, sender, rules, creators, old);

    const body = 'This room has been replaced';
    await this.#deps.writer.append(roomId, (room) => {
      assertMayReplace(room, sender);
      const content = { body, replacement_room: replacement };
      return { type: 'm.room.tombstone', sender, stateKey: '', content };
    });
    await this.#close(roomId, sender);
    await this.#deps.personalSettings.copy(sender, roomId, replacement);
    return replacement;
  }

  async #makeReplacement(
    roomId: RoomId,
    sender: UserId,
    rules: RoomVersionRules,
    creators: readonly string[],
    old: OldRoom,
  ): Promise<RoomId> {
    const predecessor = {
      room_id: roomId,
      ...(rules.createEventIsRoomId || old.lastEvent === undefined ? {} : { event_id: old.lastEvent }),
    };
    const row = await this.#deps.database.read((tx) => findRoom(tx, roomId));
    const profile = await this.#deps.accounts.getProfile(sender);
    const room = new NewRoom(this.#deps, rules, sender, {
      ...replacementCreation(old.create, predecessor),
      room_version: rules.id,
      ...(rules.creatorFromSender ? {} : { creator: sender }),
      ...(creators.length === 0 ? {} : { additional_creators: creators }),
    });
    room.add('m.room.member', sender, { membership: 'join', ...profileContent(profile) });
    // As long as there are no power levels, the creator may send all of it, whatever the levels will be.
    for (const event of old.moved) room.add(event.type, event.stateKey ?? '', movedContent(event, rules));
    if (old.canonicalAlias !== undefined) room.add('m.room.canonical_alias', '', old.canonicalAlias);
    room.add('m.room.power_levels', '', movedPowerLevels(old, rules, [sender, ...creators], sender));

    // What a shadow-banned user makes takes nothing from the old room.
    if (this.#deps.shadows.has(sender)) {
      await room.write(false, []);
      return room.roomId;
    }
    const isPublic = row?.is_public === 1;
    await room.write(isPublic, [
      async (tx, roomNid) => {
        await moveAliases(tx, old.roomNid, roomNid);
        if (isPublic) await setRoomPublic(tx, old.roomNid, false);
      },
    ]);
    return room.roomId;
  }

  /** The old room stops being the address, and nobody but moderators talks there any more, if the user may say so. */
  async #close(roomId: RoomId, sender: UserId): Promise<void> {
    await ifAllowed(
      this.#deps.writer.append(roomId, (room) => {
        const alias = room.stateEvent('m.room.canonical_alias', '');
        if (alias === undefined || Object.keys(alias.content).length === 0) throw forbidden('There is none');
        return { type: 'm.room.canonical_alias', sender, stateKey: '', content: {} };
      }),
    );
    await ifAllowed(
      this.#deps.writer.append(roomId, (room) => {
        const levels = closedPowerLevels(room.stateEvent('m.room.power_levels', '')?.content ?? {});
        if (levels === undefined) throw forbidden('They hold already');
        return { type: 'm.room.power_levels', sender, stateKey: '', content: levels };
      }),
    );
  }
}

async function ifAllowed(sending: Promise<unknown>): Promise<void> {
  try {
    await sending;
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
  }
}

function assertMayReplace(room: HotRoom, sender: UserId): void {
  assertJoined(room, sender);
  const power = room.power();
  if (power.users(sender) < power.event('m.room.tombstone', true)) throw forbidden('You may not upgrade this room');
  if (room.entry('m.room.tombstone', '') !== undefined) {
    throw new MatrixError('M_BAD_STATE', 'The room has been upgraded already');
  }
}

/** @throws StateNotLoaded */
function oldRoomOf(room: HotRoom): OldRoom {
  const candidates = candidatesOf(room);
  const missing = candidates.filter((entry) => entry.event === undefined);
  if (missing.length > 0) throw new StateNotLoaded(missing);
  const events = candidates.flatMap((entry) => (entry.event === undefined ? [] : [entry.event]));
  const alias = room.stateEvent('m.room.canonical_alias', '')?.content;
  return {
    roomNid: room.roomNid,
    lastEvent: room.extremities.at(-1)?.eventId,
    create: room.stateEvent('m.room.create', ''),
    moved: events.filter(isMoved),
    canonicalAlias: alias !== undefined && Object.keys(alias).length > 0 ? alias : undefined,
    levels: room.stateEvent('m.room.power_levels', '')?.content ?? {},
  };
}

/** Of the members only those who are banned: large rooms have few of them. */
function candidatesOf(room: HotRoom): readonly StateEntry[] {
  const banned = new Set<string>();
  for (const [userId, { membership }] of room.members.entries()) if (membership === 'ban') banned.add(userId);
  const entries: StateEntry[] = [];
  for (const [, entry] of room.state.entries()) {
    const isCandidate = entry.type === 'm.room.member' ? banned.has(entry.stateKey) : true;
    if (isCandidate && (entry.stateKey === '' || KEYED_TYPES.has(entry.type))) entries.push(entry);
  }
  return entries;
}
