import type { ServerName } from '../../protocol/ids/index.ts';
import type { PartialRooms } from '../partial-rooms.ts';
import type { HotRoom } from '../write/hot-room.ts';

const SERVERS_ASKED_MAX = 3;

/** Servers in a room to ask for what we lack: those that are in it longest, who have most of it. */
export function serversToAsk(room: HotRoom, ours: ServerName, partial: PartialRooms): readonly ServerName[] {
  const servers: ServerName[] = [];
  const { via, servers: others = [] } = partial.find(room.roomNid) ?? {};
  const all = new Set([...(via === undefined ? [] : [via]), ...others, ...room.members.residents()]);
  for (const server of all) {
    if (server !== ours) servers.push(server);
    if (servers.length === SERVERS_ASKED_MAX) break;
  }
  return servers;
}
