/** Pieces of the schemas of routes that change rooms. */
import { z } from 'zod';
import { branded, userIdSchema } from '../http/schema.ts';
import { parseRoomAlias, parseRoomId, type RoomAlias, type RoomId } from '../protocol/ids/index.ts';

/** A room id or an alias. */
export const roomIdOrAliasSchema = branded<RoomId | RoomAlias>(
  (text) => parseRoomId(text) ?? parseRoomAlias(text),
  'a room id or alias',
);

/** The body of kick, ban and unban: who, and why. */
export const targetBodySchema = z.object({ user_id: userIdSchema, reason: z.string().optional() });

/** The body of what users do with their own membership. */
export const reasonBodySchema = z.object({ reason: z.string().optional() });
