/** Names out of the configuration, as ids. */
import { makeUserId, parseServerName, type ServerName, type UserId } from '../protocol/ids/index.ts';

/** The server's own name. Throws where it is none. */
export function toServerName(name: string): ServerName {
  const serverName = parseServerName(name);
  if (serverName === undefined) throw new Error('server.name is not a server name');
  return serverName;
}

/** A user of this server. Throws where the localpart makes no id. */
export function localUserId(localpart: string, serverName: ServerName): UserId {
  const userId = makeUserId(localpart, serverName);
  if (userId === undefined) throw new Error(`${localpart} is not the name of a user`);
  return userId;
}
