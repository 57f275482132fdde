import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateSigningKey, verifyJson } from '../crypto/index.ts';
import { type EventId, parseEventId, parseRoomId, parseServerName, parseUserId } from '../ids/index.ts';
import { canonicalJson, canonicalJsonLenient, type JsonObject, parseJson } from '../json/index.ts';
import { ROOM_VERSIONS, type RoomVersionRules, roomVersionRules } from '../room-versions/index.ts';
import {
  BadPduError,
  buildEvent,
  clientEventPrefix,
  Event,
  type EventDraft,
  eventSignedText,
  makeEventId,
  parsePdu,
  redactEvent,
  redactOnHashMismatch,
  redactPdu,
  referenceHash,
  requiredSigners,
  strippedState,
  verifyContentHash,
  verifyEventSignature,
} from './index.ts';

const server = parseServerName('example.org');
const alice = parseUserId('@alice:example.org');
const oldRoom = parseRoomId('!room:example.org');
const hashRoom = parseRoomId('!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ');
const target = parseEventId('$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg');
assert.ok(server && alice && oldRoom && hashRoom && target);
const key = generateSigningKey('a_1', new Uint8Array(32).fill(3));
const MESSAGE = { msgtype: 'm.text', body: 'hällo "you" \u0001 😀', n: [1, 2, { b: 1, a: 2 }] };

function rulesOf(id: string): RoomVersionRules {
  const rules = roomVersionRules(id);
  assert.ok(rules);
  return rules;
}

function draft(rules: RoomVersionRules, changes: Partial<EventDraft> = {}): EventDraft {
  assert.ok(alice && oldRoom && hashRoom && server && target);
  const isRoomless = rules.createEventIsRoomId && changes.type === 'm.room.create';
  return {
    type: 'm.room.message',
    sender: alice,
    content: MESSAGE,
    originServerTs: 1_700_000_000_000,
    depth: 12,
    prevEvents: [target],
    authEvents: [target],
    ...(isRoomless ? {} : { roomId: rules.createEventIsRoomId ? hashRoom : oldRoom }),
    ...(rules.eventIds === 'in-event' ? { eventId: makeEventId('abc', server) } : {}),
    ...changes,
  };
}

function build(rules: RoomVersionRules, changes: Partial<EventDraft> = {}): Event {
  assert.ok(server);
  return buildEvent(draft(rules, changes), rules, server, key);
}

function pduOf(rules: RoomVersionRules, changes: JsonObject = {}): JsonObject {
  return { ...build(rules).pdu, ...changes };
}

describe('buildEvent, in every room version', () => {
  for (const rules of ROOM_VERSIONS) {
    const events = [
      build(rules),
      build(rules, {
        type: 'm.room.create',
        stateKey: '',
        content: { room_version: rules.id },
        prevEvents: [],
        authEvents: [],
      }),
      build(rules, { type: 'm.room.redaction', content: {}, redacts: target }),
      build(rules, { type: 'm.room.member', stateKey: alice, content: { membership: 'join', displayname: 'A' } }),
      build(rules, { unsigned: { age: 5 } }),
    ];

    it(`makes canonical JSON that says the same as the parsed PDU (version ${rules.id})`, () => {
      for (const event of events) {
        const parsed = parseJson(event.json);
        assert.deepEqual(parsed, event.pdu);
        assert.equal(canonicalJson(parsed), event.json);
      }
    });

    it(`makes events that parsePdu accepts under the same id (version ${rules.id})`, () => {
      for (const event of events) {
        const parsed = parsePdu(parseJson(event.json) as JsonObject, rules);
        assert.equal(parsed.eventId, event.eventId);
        if (rules.eventIds !== 'in-event') assert.equal(event.eventId, `$${referenceHash(event.pdu, rules)}`);
      }
    });

    it(`hashes and signs as the specification says (version ${rules.id})`, async () => {
      for (const event of events) {
        assert.ok(verifyContentHash(event));
        assert.ok(await verifyEventSignature(event, server, key.keyId, key.publicKey));
        assert.ok(verifyJson(redactPdu(event.pdu, rules), server, key.keyId, key.publicKey));
      }
    });
  }
});

describe('Event', () => {
  it('reads its fields from JSON', () => {
    const rules = rulesOf('10');
    const made = build(rules, { type: 'm.room.topic', stateKey: '', content: { topic: 'x' } });
    const event = Event.fromJson(made.eventId, made.json, rules);
    assert.equal(event.type, 'm.room.topic');
    assert.equal(event.sender, alice);
    assert.equal(event.roomId, oldRoom);
    assert.equal(event.stateKey, '');
    assert.equal(event.isState, true);
    assert.deepEqual(event.content, { topic: 'x' });
    assert.equal(event.depth, 12);
    assert.equal(event.originServerTs, 1_700_000_000_000);
    assert.deepEqual(event.prevEvents, [target]);
    assert.deepEqual(event.unsigned, {});
    assert.equal(build(rules).isState, false);
  });

  it('reads references in pairs in room versions 1 and 2', () => {
    assert.ok(server);
    const previous = makeEventId('before', server);
    const event = build(rulesOf('1'), { prevEvents: [previous], referenceHashes: new Map([[previous, 'hash']]) });
    assert.deepEqual(event.pdu.prev_events, [[previous, { sha256: 'hash' }]]);
    assert.deepEqual(event.prevEvents, [previous]);
    assert.deepEqual(event.authEvents, [target]);
  });

  it("derives the room id of version 12's create event from its id", () => {
    const event = build(rulesOf('12'), {
      type: 'm.room.create',
      stateKey: '',
      content: {},
      prevEvents: [],
      authEvents: [],
    });
    assert.equal(event.roomId, `!${event.eventId.slice(1)}`);
    assert.equal('room_id' in event.pdu, false);
    assert.equal(event.isCreate, true);
  });

  it('finds what a redaction redacts where the room version has it', () => {
    const changes = { type: 'm.room.redaction', content: { reason: 'spam' }, redacts: target };
    const before = build(rulesOf('10'), changes);
    assert.equal(before.redacts, target);
    assert.equal(before.pdu.redacts, target);
    assert.equal(before.content.redacts, undefined);
    const since = build(rulesOf('11'), changes);
    assert.equal(since.redacts, target);
    assert.equal(since.pdu.redacts, undefined);
    assert.deepEqual(since.content, { reason: 'spam', redacts: target });
    assert.equal(build(rulesOf('11'), { content: { redacts: target } }).redacts, undefined);
    assert.equal(build(rulesOf('11'), { type: 'm.room.redaction', content: { redacts: 5 } }).redacts, undefined);
  });
});

describe('parsePdu', () => {
  const strict = rulesOf('11');
  const v12 = rulesOf('12');
  const refuses = (rules: RoomVersionRules, changes: JsonObject, reason: BadPduError['reason'] = 'bad-format') =>
    assert.throws(
      () => parsePdu(pduOf(rules, changes), rules),
      (error) => error instanceof BadPduError && error.reason === reason,
      JSON.stringify(changes).slice(0, 80),
    );

  it('refuses fields that are missing or of the wrong type', () => {
    for (const field of [
      'type',
      'sender',
      'room_id',
      'content',
      'origin_server_ts',
      'depth',
      'hashes',
      'signatures',
      'prev_events',
      'auth_events',
    ]) {
      for (const value of [null, true, 1.5, [1], {}, '']) {
        if (field === 'type' && value === '') continue;
        if ((field === 'content' || field === 'signatures') && JSON.stringify(value) === '{}') continue;
        refuses(strict, { [field]: value });
      }
      const { [field]: _removed, ...rest } = pduOf(strict);
      assert.throws(() => parsePdu(rest, strict), BadPduError, field);
    }
    refuses(strict, { state_key: 1 });
    refuses(strict, { state_key: null });
    refuses(strict, { type: 'a\0b' });
    parsePdu(pduOf(strict, { state_key: 'a\0b' }), strict);
    refuses(strict, { hashes: { sha256: 1 } });
    refuses(strict, { signatures: { 'example.org': 'x' } });
    refuses(strict, { signatures: { 'example.org': { 'ed25519:1': 1 } } });
    refuses(strict, { prev_events: [[target, {}]] });
    refuses(strict, { auth_events: ['x'] });
  });

  it('limits the number of prev and auth events', () => {
    parsePdu(pduOf(strict, { prev_events: Array(20).fill(target), auth_events: Array(10).fill(target) }), strict);
    refuses(strict, { prev_events: Array(21).fill(target) });
    refuses(strict, { auth_events: Array(11).fill(target) });
  });

  it('limits depth by room version', () => {
    parsePdu(pduOf(strict, { depth: 2 ** 53 - 1 }), strict);
    refuses(strict, { depth: 2 ** 53 });
    refuses(strict, { depth: -1 });
    parsePdu(pduOf(rulesOf('5'), { depth: 2 ** 60 }), rulesOf('5'));
    refuses(rulesOf('5'), { depth: 2 ** 64 });
    refuses(rulesOf('5'), { depth: -1 });
  });

  it('enforces canonical JSON since room version 6 only', () => {
    refuses(rulesOf('6'), { content: { level: 50.5 } });
    refuses(rulesOf('6'), { content: { body: '\ud800' } });
    const lenient = parsePdu(pduOf(rulesOf('5'), { content: { level: 50.5 } }), rulesOf('5'));
    assert.match(lenient.json, /"level":50\.5/);
  });

  it('limits sizes in bytes: 255 for ids, type and state key, 65,536 for the whole', () => {
    parsePdu(pduOf(strict, { type: 'é'.repeat(127), state_key: 'k'.repeat(255) }), strict);
    refuses(strict, { type: 'é'.repeat(128) }, 'too-large');
    refuses(strict, { state_key: 'k'.repeat(256) }, 'too-large');
    refuses(strict, { sender: `@${'a'.repeat(250)}:example.org` });
    const padding = 65_536 - Buffer.byteLength(parsePdu(pduOf(strict, { content: { body: '' } }), strict).json);
    parsePdu(pduOf(strict, { content: { body: 'x'.repeat(padding) } }), strict);
    refuses(strict, { content: { body: 'x'.repeat(padding + 1) } }, 'too-large');
    refuses(strict, { content: { body: `${'x'.repeat(padding - 1)}é` } }, 'too-large');
  });

  it('drops unsigned, which then does not count', () => {
    const event = parsePdu(pduOf(strict, { unsigned: { junk: 'x'.repeat(70_000) } }), strict);
    assert.equal('unsigned' in event.pdu, false);
    assert.ok(verifyContentHash(event));
  });

  it('keeps fields that it does not know, as they are hashed', () => {
    assert.equal(parsePdu(pduOf(strict, { 'org.example': 1 }), strict).pdu['org.example'], 1);
  });

  it('wants the room id that the room version has', () => {
    refuses(v12, { room_id: oldRoom });
    refuses(strict, { room_id: hashRoom });
    refuses(v12, { type: 'm.room.create', state_key: '' });
    const { room_id: _roomId, ...roomless } = pduOf(v12);
    assert.throws(() => parsePdu(roomless, v12), BadPduError);
    assert.ok(parsePdu({ ...roomless, type: 'm.room.create', state_key: '' }, v12));
  });

  it('wants the event id in room versions 1 and 2, and pairs as references', () => {
    const rules = rulesOf('2');
    assert.equal(parsePdu(pduOf(rules), rules).eventId, '$abc:example.org');
    refuses(rules, { event_id: 'abc' });
    refuses(rules, { event_id: target });
    refuses(rules, { prev_events: [target] });
    refuses(rules, { prev_events: [[target]] });
    refuses(rules, { auth_events: [[target, 'hash']] });
  });
});

describe('draft limits', () => {
  it('refuses drafts that are too large or have no canonical JSON', () => {
    const rules = rulesOf('12');
    const refusal = (reason: string) => (error: unknown) => error instanceof BadPduError && error.reason === reason;
    assert.throws(() => build(rules, { content: { body: 'x'.repeat(65_536) } }), refusal('too-large'));
    assert.throws(() => build(rules, { stateKey: 'x'.repeat(256) }), refusal('too-large'));
    assert.throws(() => build(rules, { type: 'x'.repeat(256) }), refusal('too-large'));
    assert.throws(() => build(rules, { content: { n: 0.5 } }), refusal('bad-format'));
    assert.ok(build(rulesOf('5'), { content: { n: 0.5 } }));
  });
});

describe('content hashes', () => {
  it('do not match once the content was changed, and the event is then redacted', () => {
    const rules = rulesOf('12');
    const event = build(rules);
    const forged = parsePdu({ ...event.pdu, content: { body: 'forged' } }, rules);
    assert.equal(forged.eventId, event.eventId);
    assert.equal(verifyContentHash(forged), false);
    assert.deepEqual(redactOnHashMismatch(forged).content, {});
    assert.equal(redactOnHashMismatch(event), event);
  });

  it('match in either base64 alphabet, and never when they are no base64', () => {
    const rules = rulesOf('12');
    const event = build(rules);
    const hash = String(event.pdu.hashes.sha256);
    const urlSafe = hash.replaceAll('+', '-').replaceAll('/', '_');
    assert.equal(verifyContentHash(parsePdu({ ...event.pdu, hashes: { sha256: urlSafe } }, rules)), true);
    assert.equal(verifyContentHash(parsePdu({ ...event.pdu, hashes: { sha256: '?' } }, rules)), false);
  });

  it('are covered by the signature', async () => {
    const event = build(rulesOf('12'));
    const forged = parsePdu({ ...event.pdu, hashes: { sha256: 'x' } }, event.rules);
    assert.equal(await verifyEventSignature(forged, server, key.keyId, key.publicKey), false);
    const redacted = redactEvent(event);
    assert.equal(await verifyEventSignature(redacted, server, key.keyId, key.publicKey), true);
    assert.equal(eventSignedText(redacted.pdu, event.rules), eventSignedText(event.pdu, event.rules));
  });
});

describe('clientEventPrefix', () => {
  const parsed = (event: Event) => JSON.parse(`${clientEventPrefix(event)}}`) as JsonObject;

  it("is the event in the clients' format, without what only servers need", () => {
    const event = build(rulesOf('12'), { unsigned: { age: 1 } });
    assert.deepEqual(parsed(event), {
      content: MESSAGE,
      event_id: event.eventId,
      origin_server_ts: 1_700_000_000_000,
      room_id: hashRoom,
      sender: alice,
      type: 'm.room.message',
    });
    const reloaded = Event.fromJson(event.eventId, event.json, event.rules);
    assert.deepEqual(parsed(reloaded), parsed(event));
    assert.ok(JSON.parse(`${clientEventPrefix(event)},"unsigned":{"age":3}}`));
  });

  it('has the state key of state events, and the room id of a create event', () => {
    const event = build(rulesOf('12'), {
      type: 'm.room.create',
      stateKey: '',
      content: {},
      prevEvents: [],
      authEvents: [],
    });
    assert.equal(parsed(event).state_key, '');
    assert.equal(parsed(event).room_id, event.roomId);
  });

  it('has the target of a redaction at both places, in every room version', () => {
    for (const rules of ROOM_VERSIONS) {
      const client = parsed(build(rules, { type: 'm.room.redaction', content: { reason: 'x' }, redacts: target }));
      assert.equal(client.redacts, target);
      assert.deepEqual(client.content, { reason: 'x', redacts: target });
    }
  });
});

describe('strippedState', () => {
  it('has content, sender, state key and type only', () => {
    const event = build(rulesOf('12'), { type: 'm.room.name', stateKey: '', content: { name: 'x' } });
    assert.deepEqual(strippedState(event), {
      content: { name: 'x' },
      sender: alice,
      state_key: '',
      type: 'm.room.name',
    });
  });
});

describe('event ids', () => {
  it('are the reference hash: standard base64 in version 3, URL-safe from 4', () => {
    const ids = (id: string): EventId[] =>
      Array.from({ length: 20 }, (_, depth) => build(rulesOf(id), { depth }).eventId);
    assert.ok(ids('3').some((id) => /[+/]/.test(id)) && ids('3').every((id) => /^\$[A-Za-z0-9+/]{43}$/.test(id)));
    assert.ok(ids('4').some((id) => /[-_]/.test(id)) && ids('4').every((id) => /^\$[A-Za-z0-9_-]{43}$/.test(id)));
  });

  it('do not depend on what redaction removes', () => {
    for (const rules of ROOM_VERSIONS.slice(2)) {
      const event = build(rules);
      assert.equal(`$${referenceHash(redactPdu(event.pdu, rules), rules)}`, event.eventId);
      assert.equal(canonicalJsonLenient(redactEvent(event).pdu), redactEvent(event).json);
    }
  });
});

describe('requiredSigners', () => {
  const signers = (version: string, changes: Partial<EventDraft> = {}) => [
    ...requiredSigners(build(rulesOf(version), { ...changes })),
  ];
  const elsewhere = parseServerName('elsewhere.example');
  assert.ok(elsewhere);

  it("are the sender's server", () => {
    assert.deepEqual(signers('12'), ['example.org']);
  });

  it("are also the server of the event's id in room versions 1 and 2", () => {
    assert.deepEqual(signers('2', { eventId: makeEventId('x', elsewhere) }), ['example.org', 'elsewhere.example']);
    assert.deepEqual(signers('2'), ['example.org']);
  });

  it("leave out the sender's server on a third party's invite, and only there", () => {
    const member = (membership: string) => ({
      type: 'm.room.member',
      stateKey: '@bob:x',
      content: { membership, third_party_invite: {} },
    });
    assert.deepEqual(signers('12', member('invite')), []);
    assert.deepEqual(signers('12', member('join')), ['example.org']);
  });

  it('are also the server that let a user join a restricted room, since version 8', () => {
    const content = { membership: 'join', join_authorised_via_users_server: '@bob:elsewhere.example' };
    const member = { type: 'm.room.member', stateKey: alice, content };
    assert.deepEqual(signers('8', member), ['example.org', 'elsewhere.example']);
    assert.deepEqual(signers('7', member), ['example.org']);
  });
});
