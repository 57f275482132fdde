import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { eventIdSchema, jsonObjectSchema, roomIdSchema } from '../http/schema.ts';
import { upTo } from '../lru.ts';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import { IMPLICIT_ROOM_VERSION } from '../protocol/room-versions/index.ts';
import type { FederationCalls } from './calls.ts';
import { toClientError, UnreachableError } from './errors.ts';

const childSchema = z.object({
  type: z.literal('m.space.child'),
  state_key: roomIdSchema,
  content: jsonObjectSchema,
  sender: z.string(),
  origin_server_ts: z.int(),
});

/** What isn't a child in the right form is left out, what isn't a room in the right form is no answer. */
const childrenSchema = z.array(z.unknown()).transform((items) =>
  items.flatMap((item) => {
    const child = childSchema.safeParse(item);
    return child.success ? [child.data] : [];
  }),
);

const text = z.string().exactOptional();

/** Some servers write null for what a room doesn't have. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null));
}

const roomSchema = z.preprocess(
  withoutNulls,
  z.object({
    room_id: roomIdSchema,
    num_joined_members: z.int().min(0).catch(0),
    world_readable: z.boolean().catch(false),
    guest_can_join: z.boolean().catch(false),
    join_rule: z.string().catch('public'),
    room_version: z.string().catch(IMPLICIT_ROOM_VERSION),
    name: text,
    topic: text,
    canonical_alias: text,
    avatar_url: text,
    room_type: text,
    encryption: text,
    allowed_room_ids: z.array(roomIdSchema).exactOptional(),
    children_state: childrenSchema.exactOptional(),
  }),
);

const hierarchySchema = z.object({
  room: roomSchema,
  children: z.array(z.unknown()).catch([]),
  inaccessible_children: z.array(z.unknown()).catch([]),
});

const eventAtTimeSchema = z.object({ event_id: eventIdSchema, origin_server_ts: z.int() });

/** A room as another server shows it; the wire's names, since it goes on to clients so. */
export type RemoteRoom = z.infer<typeof roomSchema> & { readonly children_state: z.infer<typeof childrenSchema> };

/** A room and its children as another server shows them. */
export interface RemoteHierarchy {
  readonly room: RemoteRoom;
  /** Those of which the answer says what their own children are. */
  readonly children: readonly RemoteRoom[];
  /** Rooms that nobody of this server may enter. */
  readonly inaccessible: readonly RoomId[];
}

const PREVIEW_TIMEOUT_MS = 10_000;
const V1 = '/_matrix/federation/v1';
const PROFILES_MAX = 5_000;
/** Clients ask for the same profile again and again. */
const PROFILE_KEPT_MS = 60_000;

/** What clients may ask of other servers through us. Errors are such as clients get. */
export class RemoteLookups {
  readonly #calls: FederationCalls;
  readonly #clock: Clock;
  readonly #profiles = new LRUCache<UserId, { readonly profile: Promise<JsonObject>; readonly untilTs: number }>(
    upTo(PROFILES_MAX),
  );

  constructor(calls: FederationCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** The profile of another server's user. @throws MatrixError 404, 403, 502 */
  async profile(userId: UserId): Promise<JsonObject> {
    const known = this.#profiles.get(userId);
    const now = this.#clock.now();
    if (known !== undefined && known.untilTs > now) return known.profile;
    const profile = this.#calls.profile(serverNameOf(userId), userId).catch((error: unknown) => {
      this.#profiles.delete(userId);
      throw toClientError(error);
    });
    this.#profiles.set(userId, { profile, untilTs: now + PROFILE_KEPT_MS });
    return profile;
  }

  /** A page of another server's directory. @throws MatrixError 502 and what the server refuses with */
  async publicRooms(server: ServerName, body: JsonObject): Promise<JsonObject> {
    try {
      return await this.#calls.publicRooms(server, body);
    } catch (error) {
      throw toClientError(error);
    }
  }

  /**
   * A room and its children, as far as users of this server may come into them.
   * Spec: server-server-api/#get_matrixfederationv1hierarchyroomid
   * @throws RefusedError, UnreachableError
   */
  async hierarchy(server: ServerName, roomId: RoomId): Promise<RemoteHierarchy> {
    const answer = await this.#get(server, `${V1}/hierarchy/${encodeURIComponent(roomId)}`);
    const parsed = hierarchySchema.safeParse(answer);
    if (!parsed.success || parsed.data.room.room_id !== roomId) {
      throw new UnreachableError(server, 'the answer is no hierarchy of this room');
    }
    const { room, children, inaccessible_children: inaccessible } = parsed.data;
    const isChild = new Set((room.children_state ?? []).map((child) => child.state_key));
    return {
      room: { ...room, children_state: room.children_state ?? [] },
      children: children.flatMap((item) => {
        const child = roomSchema.safeParse(item).data;
        if (child === undefined || !isChild.has(child.room_id)) return [];
        const { children_state } = child;
        if (children_state === undefined && child.room_type === 'm.space') return [];
        return [{ ...child, children_state: children_state ?? [] }];
      }),
      inaccessible: inaccessible.flatMap((item) => {
        const closed = roomIdSchema.safeParse(item).data;
        return closed !== undefined && isChild.has(closed) ? [closed] : [];
      }),
    };
  }

  /**
   * The event of a room that a server knows to be nearest to a time (milliseconds since the epoch) in a direction.
   * Spec: server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   * @throws RefusedError, UnreachableError
   */
  async timestampToEvent(
    server: ServerName,
    roomId: RoomId,
    ts: number,
    dir: 'b' | 'f',
  ): Promise<{ readonly eventId: EventId; readonly ts: number }> {
    const answer = await this.#get(
      server,
      `${V1}/timestamp_to_event/${encodeURIComponent(roomId)}?ts=${ts}&dir=${dir}`,
    );
    const parsed = eventAtTimeSchema.safeParse(answer);
    if (!parsed.success) throw new UnreachableError(server, 'the answer names no event');
    return { eventId: parsed.data.event_id, ts: parsed.data.origin_server_ts };
  }

  #get(server: ServerName, path: string): Promise<JsonObject> {
    return this.#calls.client.request({ destination: server, method: 'GET', path, timeoutMs: PREVIEW_TIMEOUT_MS });
  }
}
