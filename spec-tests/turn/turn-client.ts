/** Just enough of a TURN client to make an allocation (RFC 8489, RFC 8656). */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const INTEGRITY_BYTES = 24;
const ALLOCATE = 0x0003;
const ALLOCATED = 0x0103;
const ATTRIBUTE = {
  username: 0x0006,
  integrity: 0x0008,
  error: 0x0009,
  realm: 0x0014,
  nonce: 0x0015,
  relayed: 0x0016,
  transport: 0x0019,
} as const;
const UDP = Buffer.from([17, 0, 0, 0]);
const ANSWER_MS_MAX = 2_000;

/** The relay's port, or the code of the refusal. */
export type AllocateOutcome = { readonly relayedPort: number } | { readonly refusedWith: number };

/** Asks a TURN server for an allocation with credentials, as a client in a call does. */
export async function allocate(
  server: { readonly host: string; readonly port: number },
  { username, password }: { readonly username: string; readonly password: string },
): Promise<AllocateOutcome> {
  // One for both requests: the allocation belongs to its address.
  using cleanUp = new DisposableStack();
  const socket = cleanUp.adopt(createSocket('udp4'), (one) => one.close());
  const ask = (attributes: readonly Buffer[], key?: Buffer) => exchange(socket, server, message(attributes, key));
  const transport = attribute(ATTRIBUTE.transport, UDP);
  const challenge = await ask([transport]);
  const realm = challenge.attributes.get(ATTRIBUTE.realm);
  const nonce = challenge.attributes.get(ATTRIBUTE.nonce);
  if (realm === undefined || nonce === undefined) throw new Error('the TURN server asks for no credentials');
  const key = createHash('md5').update(`${username}:${realm.toString()}:${password}`).digest();
  const credentials = [
    attribute(ATTRIBUTE.username, Buffer.from(username)),
    attribute(ATTRIBUTE.realm, realm),
    attribute(ATTRIBUTE.nonce, nonce),
  ];
  const answer = await ask([transport, ...credentials], key);
  const relayed = answer.attributes.get(ATTRIBUTE.relayed);
  if (answer.type === ALLOCATED && relayed !== undefined) {
    return { relayedPort: relayed.readUInt16BE(2) ^ (COOKIE >>> 16) };
  }
  const error = answer.attributes.get(ATTRIBUTE.error);
  return { refusedWith: error === undefined ? 0 : (error[2] ?? 0) * 100 + (error[3] ?? 0) };
}

function attribute(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}

/** With a key, the message ends with its integrity, which covers a length that counts it already. */
function message(attributes: readonly Buffer[], key: Buffer | undefined): Buffer {
  const body = Buffer.concat(attributes);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(ALLOCATE, 0);
  header.writeUInt16BE(body.length + (key === undefined ? 0 : INTEGRITY_BYTES), 2);
  header.writeUInt32BE(COOKIE, 4);
  randomBytes(12).copy(header, 8);
  const whole = Buffer.concat([header, body]);
  if (key === undefined) return whole;
  return Buffer.concat([whole, attribute(ATTRIBUTE.integrity, createHmac('sha1', key).update(whole).digest())]);
}

async function exchange(socket: Socket, server: { readonly host: string; readonly port: number }, request: Buffer) {
  socket.send(request, server.port, server.host);
  const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS_MAX) })) as [Buffer];
  const attributes = new Map<number, Buffer>();
  for (let at = HEADER_BYTES; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2);
    attributes.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return { type: answer.readUInt16BE(0), attributes };
}
