import { thirdPartySigners } from '../../protocol/auth/index.ts';
import { forbidden, MatrixError } from '../../protocol/errors.ts';
import type { Event } from '../../protocol/event/index.ts';
import { type EventId, parseUserId, type RoomId, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readArray, readString } from '../../protocol/json/index.ts';
import type { RoomDigest } from '../store/index.ts';
import { assertJoined } from './checks.ts';
import type { WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';
import type { Memberships } from './memberships.ts';

/** What proves that a user owns the address that was invited, signed by an identity server. */
export interface SignedThirdParty {
  readonly mxid: UserId;
  readonly token: string;
  /** The whole object, with its signatures. */
  readonly json: JsonObject;
}

/** Somebody redeems a third-party invite. */
export interface Redemption {
  readonly roomId: RoomId;
  /** Who sent the `m.room.third_party_invite`. */
  readonly sender: UserId;
  readonly signed: SignedThirdParty;
}

/** A key that has signed, and where to ask whether it is still valid. */
export interface SignerKey {
  readonly publicKey: string;
  /** Undefined: it is valid for ever. */
  readonly validityUrl: string | undefined;
}

/** Asks whether one of the keys is still valid. */
export type KeyCheck = (keys: readonly SignerKey[]) => Promise<boolean>;

const VALIDITY_URLS_MAX = 8;

/** Invites of people by an address, whose user ids nobody knows yet. Spec: client-server-api/#third-party-invites */
export class ThirdPartyInvites {
  readonly #deps: WriteDeps;
  readonly #memberships: Memberships;

  constructor(deps: WriteDeps, memberships: Memberships) {
    this.#deps = deps;
    this.#memberships = memberships;
  }

  /** What an invitation by e-mail tells of the room. @throws MatrixError 403 where the user may not invite anybody */
  describeFor(roomId: RoomId, sender: UserId): Promise<RoomDigest> {
    return this.#deps.writer.read(roomId, (room) => {
      assertJoined(room, sender);
      const power = room.power();
      if (power.users(sender) < power.invite) throw forbidden('You may not invite anybody to this room');
      return room.figures.digest;
    });
  }

  /** Sends the `m.room.third_party_invite` of a token. */
  send(roomId: RoomId, sender: UserId, token: string, content: JsonObject): Promise<EventId> {
    return this.#deps.writer.append(roomId, () => ({
      type: 'm.room.third_party_invite',
      sender,
      stateKey: token,
      content,
    }));
  }

  /**
   * Turns a third-party invite into the invite of a user; who is invited or joined stays so.
   * @throws MatrixError 403 where the signature, its key or the room's state doesn't allow it
   */
  async redeem(redemption: Redemption, isAnyValid: KeyCheck): Promise<void> {
    const { roomId, sender, signed } = redemption;
    const target = signed.mxid;
    const found = await this.#deps.writer.read(roomId, (room) => look(room, redemption));
    if (found === undefined) return;
    if (!(await isAnyValid(signersOf(signed.json, found)))) {
      throw forbidden('No valid key of the third-party invite made this signature');
    }
    const displayName = readString(found.content, 'display_name');
    const content = await this.#memberships.invitation(sender, target, undefined, {
      third_party_invite: {
        ...(displayName === undefined ? {} : { display_name: displayName }),
        signed: signed.json,
      },
    });
    await this.#invite(roomId, sender, target, content);
  }

  async #invite(roomId: RoomId, sender: UserId, target: UserId, content: JsonObject): Promise<void> {
    const { writer, federated, serverName } = this.#deps;
    if (federated !== undefined && serverNameOf(target) !== serverName) {
      await federated.invites.send(roomId, sender, target, content);
      return;
    }
    const proposal = { type: 'm.room.member', sender, stateKey: target, content };
    if (federated === undefined || serverNameOf(sender) === serverName) {
      await writer.append(roomId, () => proposal);
      return;
    }
    // The signature in the invite stands for the sender's server, and we send it in its place.
    await federated.invites.put(await writer.draft(roomId, () => proposal));
  }
}

/** The third-party invite that is redeemed; undefined where the user is in already. @throws MatrixError */
function look(room: HotRoom, { sender, signed }: Redemption): Event | undefined {
  const membership = room.membership(signed.mxid);
  if (membership === 'join' || membership === 'invite') return undefined;
  if (membership === 'ban') throw forbidden('You are banned from this room');
  const invite = room.stateEvent('m.room.third_party_invite', signed.token);
  if (invite === undefined || invite.sender !== sender) {
    throw forbidden('This room has no such third-party invite');
  }
  const last = room.stateEvent('m.room.member', signed.mxid);
  // Otherwise who was removed could come back with an old message.
  if (last !== undefined && last.sender !== signed.mxid && membership === 'leave' && last.depth > invite.depth) {
    throw forbidden('You were removed from this room since you were invited');
  }
  return invite;
}

function signersOf(signed: JsonObject, { content }: Event): readonly SignerKey[] {
  const entries = (readArray(content, 'public_keys') ?? []).filter((one) => isJsonObject(one));
  const keys = [...thirdPartySigners(signed, content)].flatMap((publicKey) =>
    [content, ...entries]
      .filter((entry) => readString(entry, 'public_key') === publicKey)
      .map((entry) => ({ publicKey, validityUrl: readString(entry, 'key_validity_url') })),
  );
  return keys.slice(0, VALIDITY_URLS_MAX);
}

/** The signed object as it came. @throws MatrixError where it isn't one */
export function parseSignedThirdParty(json: JsonObject): SignedThirdParty {
  const mxid = parseUserId(readString(json, 'mxid') ?? '');
  const token = readString(json, 'token');
  if (mxid === undefined || token === undefined || !isJsonObject(json.signatures)) {
    throw new MatrixError('M_BAD_JSON', 'signed must have mxid, token and signatures');
  }
  return { mxid, token, json };
}
