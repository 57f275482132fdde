/** A large room, built below HTTP in the data folder of a server that doesn't run. */
import { makeConfig } from '../config/index.ts';
import { openDomains } from '../homeserver.ts';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../protocol/ids/index.ts';
import { silentLogger } from '../telemetry/log.ts';
import type { TestServer } from './test-server.ts';

const AT_ONCE = 200;

/** How large: members beside the creator, and other state events. */
export interface RoomSize {
  readonly members: number;
  readonly others: number;
}

/** Gives a room of the server, whose process was ended, members and state. */
export async function enlarge(
  { config, folder }: TestServer,
  {
    name,
    room,
    creator,
    size,
  }: { readonly name: string; readonly room: string; readonly creator: string; readonly size: RoomSize },
): Promise<void> {
  await using domains = await openDomains(makeConfig(config, folder), { logger: silentLogger });
  const { rooms } = domains;
  const roomId = parseRoomId(room) ?? fail(room);
  const owner = userOf(creator);
  await inPortions(size.members, (index) => rooms.join({ roomId, userId: userOf(`@member${index}:${name}`) }));
  await inPortions(size.others, (index) => setState(roomId, index));

  function setState(into: RoomId, index: number): Promise<unknown> {
    const content = { about: `Entry ${index} of a large room`, index };
    return rooms.setState({ roomId: into, sender: owner, type: 'org.example.entry', stateKey: `${index}`, content });
  }
}

async function inPortions(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < count; start += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - start);
    await Promise.all(Array.from({ length }, (_, index) => work(start + index)));
  }
}

function userOf(text: string): UserId {
  return parseUserId(text) ?? fail(text);
}

function fail(text: string): never {
  throw new Error(`not an id: ${text}`);
}
