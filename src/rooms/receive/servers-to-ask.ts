import type { ServerName } from '../../protocol/ids/index.ts';
import type { HotRoom } from '../write/hot-room.ts';

const SERVERS_ASKED_MAX = 3;

/** Servers in a room to ask for what we lack: those that are in it longest, who have most of it. */
export function serversToAsk(room: HotRoom, ours: ServerName): readonly ServerName[] {
  const servers: ServerName[] = [];
  for (const server of room.members.residents()) {
    if (server !== ours) servers.push(server);
    if (servers.length === SERVERS_ASKED_MAX) break;
  }
  return servers;
}
