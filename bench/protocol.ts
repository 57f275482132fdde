/**
 * What the protocol core costs against the least that each operation can cost, measured in the same run:
 * `npm run bench`. Only the ratios can be compared between machines.
 */
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { checkAuth } from '../src/protocol/auth/index.ts';
import { buildEvent, contentHash, Event, parsePdu, verifyContentHash } from '../src/protocol/event/index.ts';
import { serverNameOf } from '../src/protocol/ids/index.ts';
import { canonicalJson, isJsonObject, type JsonObject } from '../src/protocol/json/index.ts';
import { RoomBuilder, TEST_SIGNING_KEY } from '../src/testing/room-builder.ts';

/** Microseconds a call, the best of five rounds. */
function measure(calls: number, work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let call = 0; call < calls; call++) work();
    best = Math.min(best, ((performance.now() - start) * 1000) / calls);
  }
  return best;
}

function row(name: string, oursUs: number, ceilingName: string, ceilingUs: number): void {
  const ratio = oursUs / ceilingUs;
  console.log(
    `${name.padEnd(34)} ${oursUs.toFixed(2).padStart(8)} us   ${ceilingName.padEnd(26)} ${ceilingUs.toFixed(2).padStart(8)} us   ${ratio.toFixed(2).padStart(6)} x`,
  );
}

function toObject(json: string): JsonObject {
  const value: unknown = JSON.parse(json);
  if (!isJsonObject(value)) throw new Error('an event is an object');
  return value;
}

const room = RoomBuilder.create({ version: '11', creator: 'alice' });
const message = room.send('alice', 'The quick brown fox jumps over the lazy dog');
const { rules, json, eventId } = message;
const pdu = toObject(json);
const serverName = serverNameOf(message.sender);
const state = room.authState;
const { privateKey } = generateKeyPairSync('ed25519');
const rawKey = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const bytes = Buffer.from(json);
const draft = {
  roomId: message.roomId,
  type: message.type,
  sender: message.sender,
  content: message.content,
  originServerTs: message.originServerTs,
  depth: message.depth,
  prevEvents: message.prevEvents,
  authEvents: message.authEvents,
};

console.log(`one message event of ${json.length} bytes, room version ${rules.id}\n`);
const stringify = measure(20_000, () => JSON.stringify(pdu));
const parse = measure(20_000, () => JSON.parse(json));
const digest = measure(20_000, () => createHash('sha256').update(bytes).digest());
const signature = measure(2_000, () => sign(null, bytes, rawKey));
row(
  'canonical JSON',
  measure(20_000, () => canonicalJson(pdu)),
  'JSON.stringify',
  stringify,
);
row(
  'content hash',
  measure(20_000, () => contentHash(pdu)),
  'stringify + SHA-256',
  stringify + digest,
);
row(
  'build, hash and sign an event',
  measure(2_000, () => buildEvent(draft, rules, serverName, TEST_SIGNING_KEY)),
  'one Ed25519 signature',
  signature,
);
row(
  'check the format of a PDU',
  measure(10_000, () => parsePdu(pdu, rules)),
  'JSON.parse',
  parse,
);
row(
  'check a content hash',
  measure(10_000, () => verifyContentHash(Event.fromJson(eventId, json, rules))),
  'parse + stringify + SHA-256',
  parse + stringify + digest,
);
row(
  'an event from the store, unparsed',
  measure(100_000, () => Event.fromJson(eventId, json, rules)),
  'JSON.parse',
  parse,
);
row(
  'authorize a message',
  measure(50_000, () => checkAuth(message, state)),
  'JSON.parse',
  parse,
);
