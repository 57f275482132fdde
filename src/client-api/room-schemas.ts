/** Pieces of the schemas of routes that change rooms. */
import { z } from 'zod';
import { branded, queryStrings, userIdSchema } from '../http/schema.ts';
import {
  parseRoomAlias,
  parseRoomId,
  parseServerName,
  type RoomAlias,
  type RoomId,
  type ServerName,
} from '../protocol/ids/index.ts';

/** A room id or an alias. */
export const roomIdOrAliasSchema = branded<RoomId | RoomAlias>(
  (text) => parseRoomId(text) ?? parseRoomAlias(text),
  'a room id or alias',
);

/** The body of kick, ban and unban: who, and why. */
export const targetBodySchema = z.object({ user_id: userIdSchema, reason: z.string().optional() });

/** The body of what users do with their own membership. */
export const reasonBodySchema = z.object({ reason: z.string().optional() });

/** Servers that may help, by their new and their old name. What isn't a server name is passed over. */
export const viaQuerySchema = z.object({ via: queryServers(), server_name: queryServers() });

function queryServers() {
  return queryStrings().transform((names): readonly ServerName[] =>
    names.flatMap((name) => parseServerName(name) ?? []),
  );
}
