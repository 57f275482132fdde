/** States without most members, for servers that want to be in a room quickly. Spec: server-server-api/#put_matrixfederationv2send_joinroomideventid */
import type { Event } from '../protocol/event/index.ts';
import { parseUserId, type ServerName, serverNameOf } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import type { ServedState } from '../rooms/index.ts';

/** A state where members are left out. */
export interface PartialState extends ServedState {
  readonly servers: readonly ServerName[];
}

/** Members by whose names a room without a name is called. */
const HEROES_MAX = 5;

/** The state without its members, but for the heroes of a room without a name; undefined where nothing would be saved. */
export function pruneMembers(served: ServedState & { readonly events: readonly Event[] }): PartialState | undefined {
  const servers = new Set<ServerName>();
  const kept: string[] = [];
  const hasName = served.events.some(({ type, stateKey }) => {
    return stateKey === '' && (type === 'm.room.name' || type === 'm.room.canonical_alias');
  });
  let heroes = hasName ? 0 : HEROES_MAX;
  for (const event of served.events) {
    const userId = event.type === 'm.room.member' ? parseUserId(event.stateKey ?? '') : undefined;
    if (userId === undefined) {
      kept.push(event.json);
      continue;
    }
    const membership = readString(event.content, 'membership');
    if (membership === 'join') servers.add(serverNameOf(userId));
    if (heroes > 0 && (membership === 'join' || membership === 'invite')) {
      heroes--;
      kept.push(event.json);
    }
  }
  if (kept.length === served.state.length) return undefined;
  return { state: kept, authChain: served.authChain, servers: [...servers] };
}
