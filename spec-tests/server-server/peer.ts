/** What another server says to one of ours, signed by its true key: also what it would never say by itself. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { signedAuthorization } from '../../src/federation/x-matrix.ts';
import { parseSigningKeyFile, type SigningKey } from '../../src/protocol/crypto/index.ts';
import { buildEvent, type Event, type EventDraft } from '../../src/protocol/event/index.ts';
import { parseServerName, type ServerName } from '../../src/protocol/ids/index.ts';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import { roomVersionRules } from '../../src/protocol/room-versions/index.ts';
import type { ClientResponse } from '../../src/testing/http-client.ts';
import type { NetworkServer } from '../../src/testing/network.ts';

const V1 = '/_matrix/federation/v1';

/** Speaks to a server in the name of another one. */
export class Peer {
  readonly name: ServerName;
  readonly #key: SigningKey;
  readonly #to: NetworkServer;

  constructor(from: NetworkServer, to: NetworkServer) {
    const [key] = parseSigningKeyFile(readFileSync(path.join(from.server.folder, 'signing.key'), 'utf8'));
    if (key === undefined) throw new Error('the server has a key');
    this.name = nameOf(from);
    this.#key = key;
    this.#to = to;
  }

  request(method: 'GET' | 'PUT' | 'POST', target: string, content?: JsonObject): Promise<ClientResponse> {
    const parts = { destination: nameOf(this.#to), method, path: target, content };
    const headers = { authorization: signedAuthorization(this.name, this.#key, parts) };
    return this.#to.server.request(method, target, { body: content, headers });
  }

  send(txnId: string, pdus: readonly JsonObject[], edus: readonly JsonObject[] = []): Promise<ClientResponse> {
    const content = { origin: this.name, origin_server_ts: Date.now(), pdus, edus };
    return this.request('PUT', `${V1}/send/${txnId}`, content);
  }

  /** An event as the peer would make it. */
  make(draft: EventDraft, roomVersion = '10'): Event {
    const rules = roomVersionRules(roomVersion);
    if (rules === undefined) throw new Error('the room version is known');
    return buildEvent(draft, rules, this.name, this.#key);
  }

  /** An event that the server gives to the peer. */
  async event(eventId: string): Promise<JsonObject> {
    const { status, body, bytes } = await this.request('GET', `${V1}/event/${encodeURIComponent(eventId)}`);
    if (status !== 200) throw new Error(`no event: ${bytes}`);
    return body.pdus[0];
  }
}

function nameOf(server: NetworkServer): ServerName {
  const name = parseServerName(server.name);
  if (name === undefined) throw new Error('a server has a name');
  return name;
}
