import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { forEachDatabase } from '../testing/databases.ts';
import { StoredRooms } from '../testing/stored-room.ts';
import { RoomChunks } from './room-chunks.ts';

const clock = { now: () => 1_700_000_500_000 };
const EVENTS = 150;

forEachDatabase((_, open) => {
  it('gives the same events as reading the room, in any order of questions and with many at once', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const positions: number[] = [0];
    for (let index = 0; index < EVENTS; index++) positions.push((await room.send('alice', `${index}`)).position);
    const { roomNid } = room;
    const source = {
      eventsInRoom: rooms.reading.events.inRoom.bind(rooms.reading.events),
      eventsByNids: rooms.reading.events.byNids.bind(rooms.reading.events),
    };
    const question = fc.record({
      after: fc.option(fc.nat(EVENTS), { nil: undefined }),
      upTo: fc.nat(EVENTS),
      limit: fc.integer({ min: 1, max: 80 }),
    });
    const rounds = fc.array(fc.array(question, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(rounds, async (script) => {
        const chunks = new RoomChunks(source);
        for (const atOnce of script) {
          await Promise.all(
            atOnce.map(async ({ after, upTo, limit }) => {
              const range = {
                roomNid,
                after: after === undefined ? undefined : (positions[after] ?? 0),
                upTo: positions[upTo] ?? 0,
                limit,
              };
              const [read, expected] = await rooms.database.read(async (tx) => [
                await chunks.read(tx, range),
                await source.eventsInRoom(tx, roomNid, {
                  from: range.upTo,
                  ...(range.after === undefined ? {} : { to: range.after }),
                  dir: 'b',
                  limit,
                }),
              ]);
              assert.deepEqual(
                read?.map((event) => event.nid),
                expected?.map((event) => event.nid),
              );
            }),
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
