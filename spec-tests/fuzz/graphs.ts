/** Random rooms, fed to three servers in random orders: all of them must make the same of them. */
import type { Event } from '../../src/protocol/event/index.ts';
import { Chance } from './chance.ts';
import { RandomRoom } from './random-room.ts';
import { openReceivers } from './receiver.ts';

export const VERSIONS = ['2', '6', '10', '11', '12'] as const;
const EVENTS = 40;

/** Runs rooms of the given seeds; `fail` is told of each that differs, by an error that names its seed. */
export async function fuzzGraphs(seeds: Iterable<number>, fail: (error: Error) => void): Promise<void> {
  await using open = await openReceivers();
  for (const seed of seeds) {
    const chance = new Chance(seed);
    const version = VERSIONS[seed % VERSIONS.length] ?? '12';
    const room = new RandomRoom(version, `seed${seed}`, chance);
    let who = '';
    try {
      for (const receiver of open.receivers) await receiver.join(room);
      room.floor = room.events.length - 1;
      room.grow(10 + chance.below(EVENTS));
      const grown = room.events.slice(room.floor - 1);
      for (const [index, receiver] of open.receivers.entries()) {
        who = receiver.name;
        const isTopological = (seed + index) % 2 === 0;
        const order = isTopological ? topological(grown, chance) : chance.shuffled(grown);
        await receiver.feed(room, order, chance);
        await receiver.complete(room);
        // Whatever could not be had in that order is there in the end.
        await receiver.feed(room, grown, chance);
        await receiver.check(room);
      }
      const closing = room.close();
      for (const receiver of open.receivers) {
        who = `${receiver.name}, after the last event`;
        if (closing !== undefined) await receiver.feed(room, [closing], chance);
        await receiver.check(room);
      }
    } catch (error) {
      const message = `seed ${seed} (room version ${version}, ${room.events.length} events) at ${who}`;
      fail(new Error(message, { cause: error }));
    }
  }
}

/** Each after those before it, by chance where the graph leaves a choice. */
function topological(events: readonly Event[], chance: Chance): Event[] {
  const left = new Set(events.map(({ eventId }) => eventId));
  const ordered: Event[] = [];
  while (left.size > 0) {
    const ready = events.filter((event) => left.has(event.eventId) && !event.prevEvents.some((id) => left.has(id)));
    const next = chance.pick(ready);
    left.delete(next.eventId);
    ordered.push(next);
  }
  return ordered;
}
