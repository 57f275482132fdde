import { z } from 'zod';
import { mediumNotSupported, type Profile, toEmailAddress } from '../accounts/index.ts';
import { type Federation, toClientError } from '../federation/index.ts';
import { type Job, type Jobs, job } from '../jobs/index.ts';
import { badJson, forbidden, invalidParam, MatrixError } from '../protocol/errors.ts';
import {
  parseRoomId,
  parseUserId,
  type RoomId,
  type ServerName,
  serverNameOf,
  type UserId,
} from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readObject, readString } from '../protocol/json/index.ts';
import { parseSignedThirdParty, type Rooms } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { IdentityServers } from './identity-servers.ts';

export interface ThirdPartiesDeps {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly rooms: Rooms;
  readonly servers: IdentityServers;
  readonly federation: Federation | undefined;
  readonly accounts: {
    readonly serverName: ServerName;
    getProfile(userId: UserId): Promise<Profile | undefined>;
    readonly threePids: { userOf(medium: string, address: string): Promise<UserId | undefined> };
  };
  /** Whether an invite to an address that an account here has confirmed goes to that account. */
  readonly invitesKnownAddresses: boolean;
}

/** Somebody is invited by an address. */
export interface AddressInvite {
  readonly medium: string;
  readonly address: string;
  readonly idServer: string | undefined;
  readonly idAccessToken: string | undefined;
  readonly reason?: string | undefined;
  readonly isDirect?: boolean | undefined;
}

const REDEEM_JOB = 'identity.redeem';
const REDEEM_ATTEMPTS_MAX = 4;
const redeemPayload = z.object({
  roomId: z.string(),
  sender: z.string(),
  signed: z.custom<JsonObject>(isJsonObject),
});

/** Invites by e-mail, from the wish to the invited user. Spec: client-server-api/#third-party-invites */
export class ThirdParties {
  readonly #deps: ThirdPartiesDeps;

  constructor(deps: ThirdPartiesDeps) {
    this.#deps = deps;
    deps.jobs.declare(this.#job());
  }

  /** Refuses what couldn't be invited at all, before anything is done. @throws MatrixError */
  check({ medium, address, idServer, idAccessToken }: AddressInvite): void {
    if (medium !== 'email') throw mediumNotSupported('Only e-mail addresses can be invited');
    toEmailAddress(address);
    if (idServer === undefined) {
      if (!this.#deps.invitesKnownAddresses) throw missing('id_server');
      return;
    }
    this.#deps.servers.named(idServer);
    if (idAccessToken === undefined) throw missing('id_access_token');
  }

  /** Invites whoever has an address, or gets it in the future. @throws MatrixError */
  async invite(roomId: RoomId, sender: UserId, wish: AddressInvite): Promise<void> {
    this.check(wish);
    const { rooms, servers, accounts } = this.#deps;
    const digest = await rooms.thirdPartyInvites.describeFor(roomId, sender);
    const { medium, idServer, idAccessToken: token } = wish;
    const address = toEmailAddress(wish.address);
    const local = this.#deps.invitesKnownAddresses ? await accounts.threePids.userOf(medium, address) : undefined;
    if (local !== undefined) return this.#inviteUser(roomId, sender, local, wish);
    if (idServer === undefined || token === undefined) {
      throw new MatrixError('M_THREEPID_DENIED', 'Nobody here has this address, and no identity server was named');
    }
    const access = { server: servers.named(idServer), token };
    const known = await servers.lookUp(access, { medium, address });
    if (known !== undefined) return this.#inviteUser(roomId, sender, known, wish);
    const profile = await accounts.getProfile(sender);
    const stored = await servers.storeInvite(
      access,
      withoutUndefined({
        medium,
        address,
        room_id: roomId,
        sender,
        room_alias: digest.canonical_alias,
        room_avatar_url: digest.avatar_url,
        room_join_rules: digest.join_rule,
        room_name: digest.name,
        room_type: digest.room_type,
        sender_display_name: profile?.displayname,
        sender_avatar_url: profile?.avatarUrl,
      }),
    );
    await rooms.thirdPartyInvites.send(roomId, sender, stored.token, stored.content);
  }

  /** One of our users proves to be whom somebody has invited, and becomes invited. @throws MatrixError */
  async redeem(roomId: RoomId, sender: UserId, json: JsonObject): Promise<void> {
    const { rooms, servers, federation, accounts } = this.#deps;
    const signed = parseSignedThirdParty(json);
    const isOurs = serverNameOf(sender) === accounts.serverName;
    if (federation === undefined || isOurs || (await rooms.isResident(roomId))) {
      const keysAreValid = servers.isAnyKeyValid.bind(servers);
      return rooms.thirdPartyInvites.redeem({ roomId, sender, signed }, keysAreValid);
    }
    const content = { membership: 'invite', third_party_invite: { display_name: '', signed: json } };
    const invite = { type: 'm.room.member', room_id: roomId, sender, state_key: signed.mxid, content };
    await federation.calls.exchangeThirdPartyInvite(serverNameOf(sender), roomId, invite).catch((error: unknown) => {
      throw toClientError(error);
    });
  }

  /** Another server's user proves it: we invite them. Spec: server-server-api/#third-party-invites @throws MatrixError */
  async exchange(origin: ServerName, roomId: RoomId, invite: JsonObject): Promise<void> {
    const { rooms, servers, accounts } = this.#deps;
    const content = readObject(invite, 'content') ?? {};
    const json = readObject(readObject(content, 'third_party_invite') ?? {}, 'signed');
    const sender = parseUserId(readString(invite, 'sender') ?? '');
    if (invite.type !== 'm.room.member' || content.membership !== 'invite') throw invalidParam('This is not an invite');
    if (invite.room_id !== roomId) throw invalidParam('The invite is to another room');
    if (json === undefined || sender === undefined) throw badJson('sender and signed are missing');
    const signed = parseSignedThirdParty(json);
    if (invite.state_key !== signed.mxid) throw invalidParam('signed is for another user');
    if (serverNameOf(signed.mxid) !== origin) throw forbidden('The invited user is not of your server');
    if (serverNameOf(sender) !== accounts.serverName) throw forbidden('The inviting user is not of this server');
    await rooms.federated?.serveMemberships.assertServed(roomId, origin);
    const keysAreValid = servers.isAnyKeyValid.bind(servers);
    await rooms.thirdPartyInvites.redeem({ roomId, sender, signed }, keysAreValid);
  }

  /** An identity server says that one of our users has an address now, and what invites wait for it. @throws MatrixError */
  async bound(mxid: UserId, invites: readonly JsonObject[]): Promise<void> {
    const { database, jobs, accounts } = this.#deps;
    if ((await accounts.getProfile(mxid)) === undefined) throw invalidParam('There is no such user here');
    const payloads = invites.flatMap((invite) => {
      const roomId = parseRoomId(readString(invite, 'room_id') ?? '');
      const sender = parseUserId(readString(invite, 'sender') ?? '');
      const signed = readObject(invite, 'signed');
      if (roomId === undefined || sender === undefined || signed === undefined) return [];
      return parseSignedThirdParty(signed).mxid === mxid ? [{ roomId, sender, signed }] : [];
    });
    await database.write('main', async (tx) => {
      for (const payload of payloads) {
        const key = `${payload.roomId}\0${mxid}\0${readString(payload.signed, 'token') ?? ''}`;
        await jobs.enqueue(tx, REDEEM_JOB, payload, { key });
      }
    });
  }

  async #inviteUser(roomId: RoomId, sender: UserId, target: UserId, { reason, isDirect }: AddressInvite) {
    const content = isDirect === true ? { is_direct: true } : undefined;
    await this.#deps.rooms.invite({ roomId, sender, target, reason, content });
  }

  #job(): Job {
    return job({
      name: REDEEM_JOB,
      payload: redeemPayload,
      attemptsMax: REDEEM_ATTEMPTS_MAX,
      handle: async ({ roomId: room, sender: from, signed }) => {
        const roomId = parseRoomId(room);
        const sender = parseUserId(from);
        if (roomId !== undefined && sender !== undefined) await this.redeem(roomId, sender, signed);
      },
    });
  }
}

function missing(key: string): MatrixError {
  return new MatrixError('M_MISSING_PARAM', `Missing key: ${key}`);
}

function withoutUndefined(values: Readonly<Record<string, string | null | undefined>>): JsonObject {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== null) kept[key] = value;
  return kept;
}
