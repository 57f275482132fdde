/**
 * What receiving a PDU of a known room costs, in processor time of this process, threads included: the real way from the
 * transaction to the commit on SQLite, signatures and hashes checked. Ratios are to verifying one signature by itself.
 * `node bench/receive.ts [messages]`
 */
import { performance } from 'node:perf_hooks';
import { Chance } from '../spec-tests/fuzz/chance.ts';
import { CREATOR, RandomRoom } from '../spec-tests/fuzz/random-room.ts';
import { openReceivers } from '../spec-tests/fuzz/receiver.ts';
import type { Event } from '../src/protocol/event/index.ts';
import { verifyEventSignature } from '../src/protocol/event/index.ts';
import { type KeyId, parseServerName } from '../src/protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../src/protocol/json/index.ts';
import { TEST_SIGNING_KEY } from '../src/testing/room-builder.ts';

const MESSAGES = Number(process.argv[2] ?? 4_000);
const VERIFIED = 2_000;
const ROUNDS = 3;
const ORIGIN = parseServerName('s1.example');
if (ORIGIN === undefined) throw new Error('it is a name');

await using open = await openReceivers();
const [receiver] = open.receivers;
if (receiver === undefined) throw new Error('there is a receiver');

let verifyUs = Number.POSITIVE_INFINITY;
const best = new Map<number, { cpuUs: number; wallUs: number }>();
for (let round = 0; round < ROUNDS; round++) {
  const room = new RandomRoom('12', `bench${round}`, new Chance(round));
  await receiver.join(room);
  const federated = receiver.rooms.federated;
  if (federated === undefined) throw new Error('it federates');
  verifyUs = Math.min(verifyUs, await verifying(messages(room, VERIFIED)));
  for (const size of [50, 1]) {
    const events = messages(room, size === 1 ? MESSAGES / 4 : MESSAGES).map(pduOf);
    const startCpu = process.cpuUsage();
    const start = performance.now();
    for (let at = 0; at < events.length; at += size) {
      const outcomes = await federated.receiver.receive(ORIGIN, events.slice(at, at + size));
      for (const error of outcomes.values()) if (error !== undefined) throw new Error(error);
    }
    const { user, system } = process.cpuUsage(startCpu);
    const cpuUs = (user + system) / events.length;
    const wallUs = ((performance.now() - start) * 1000) / events.length;
    if (cpuUs < (best.get(size)?.cpuUs ?? Number.POSITIVE_INFINITY)) best.set(size, { cpuUs, wallUs });
  }
}
say('verifying one signature', verifyUs, verifyUs);
for (const [size, { cpuUs, wallUs }] of best) say(`a PDU, ${size} in a transaction`, cpuUs, wallUs);

function messages(room: RandomRoom, count: number): Event[] {
  return Array.from({ length: count }, (_, index) => room.builder.send(CREATOR, `Message ${index} of a benchmark`));
}

async function verifying(events: readonly Event[]): Promise<number> {
  const keyId: KeyId = TEST_SIGNING_KEY.keyId;
  const start = process.cpuUsage();
  for (const event of events) {
    if (ORIGIN === undefined || !(await verifyEventSignature(event, ORIGIN, keyId, TEST_SIGNING_KEY.publicKey))) {
      throw new Error('the signature is good');
    }
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / events.length;
}

function pduOf(event: Event): JsonObject {
  const pdu = parseJson(event.json);
  if (!isJsonObject(pdu)) throw new Error('an event is an object');
  return pdu;
}

function say(what: string, cpuUs: number, wallUs: number): void {
  const ratio = (cpuUs / verifyUs).toFixed(2);
  process.stdout.write(
    `${`${Math.round(cpuUs)} us`.padStart(8)} CPU  ${`${Math.round(wallUs)} us`.padStart(8)} wall  ${ratio.padStart(6)}  ${what}\n`,
  );
}
