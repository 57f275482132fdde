import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder } from '../../testing/room-builder.ts';
import { isJsonObject, type JsonObject, parseExactJson } from '../json/index.ts';
import {
  BadPduError,
  clientEventPrefix,
  contentHash,
  type Event,
  parsePdu,
  redactEvent,
  verifyContentHash,
} from './index.ts';

/** An event as a server would send it whose numbers are written like this. */
function withNumber(version: string, number: string): { readonly pdu: JsonObject; readonly room: RoomBuilder } {
  const room = RoomBuilder.createPublic({ version });
  const event = room.build({ type: 'm.room.power_levels', sender: 'alice', stateKey: '', content: { ban: 77, x: 77 } });
  const pdu = parseExactJson(event.json.replaceAll(':77', `:${number}`));
  assert(isJsonObject(pdu));
  return { pdu: { ...pdu, hashes: { sha256: contentHash(pdu) } }, room };
}

describe('an event with numbers that a double cannot hold, or writes otherwise', () => {
  for (const number of ['50.0', '5e1', '1e-07', '9007199254740993']) {
    it(`keeps ${number} in room version 5: in its JSON, its hash, for clients, and redacted`, () => {
      const { pdu, room } = withNumber('5', number);
      const event: Event = parsePdu(pdu, room.rules);
      assert(event.json.includes(`"ban":${number},"x":${number}`));
      assert(verifyContentHash(event));
      assert.equal(event.content.ban, Number(number));
      assert(clientEventPrefix(event).includes(`"content":{"ban":${number},"x":${number}}`));
      const redacted = redactEvent(event);
      assert(redacted.json.includes(`"content":{"ban":${number}}`));
      assert.equal(redacted.content.ban, Number(number));
    });

    it(`is refused with ${number} in room version 6`, () => {
      const { pdu, room } = withNumber('6', number);
      assert.throws(() => parsePdu(pdu, room.rules), BadPduError);
    });
  }
});
