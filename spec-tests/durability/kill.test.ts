/** Nothing acknowledged is lost: whatever was answered with 200 is there after `kill -9`, whenever that comes. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { TestServer } from '../../src/testing/test-server.ts';

const ROUNDS = Number(process.env.INGLENOOK_KILL_ROUNDS ?? 20);
const SENDS = 1000;
const SENDERS = 10;
const RESENDS_AT_ONCE = 200;

interface Sender {
  readonly token: string;
}

interface Acknowledged {
  readonly sender: Sender;
  readonly txnId: string;
  readonly eventId: string;
}

async function call(baseUrl: string, method: string, url: string, token?: string, body?: object) {
  const response = await fetch(baseUrl + url, {
    method,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const send = (baseUrl: string, roomId: string, sender: Sender, txnId: string) =>
  call(
    baseUrl,
    'PUT',
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`,
    sender.token,
    {
      msgtype: 'm.text',
      body: txnId,
    },
  );

/** All message events of a room: event id -> body. */
async function messages(baseUrl: string, roomId: string, { token }: Sender): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let from = '';
  for (;;) {
    const page = await call(
      baseUrl,
      'GET',
      `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=500${from && `&from=${from}`}`,
      token,
    );
    assert.equal(page.status, 200, JSON.stringify(page.body));
    for (const event of page.body.chunk as { type: string; event_id: string; content: { body: string } }[]) {
      if (event.type === 'm.room.message') found.set(event.event_id, event.content.body);
    }
    if (typeof page.body.end !== 'string') return found;
    from = page.body.end;
  }
}

describe('kill -9', () => {
  it(`loses nothing that was answered, ${ROUNDS} times in the middle of ${SENDS} sends`, {
    timeout: 600_000,
  }, async (t) => {
    await using server = await TestServer.start();
    const { baseUrl } = server;
    const senders: Sender[] = [];
    for (let index = 0; index < SENDERS; index++) {
      const { accessToken } = await server.register(`sender${index}`);
      senders.push({ token: accessToken });
    }
    const [owner] = senders;
    assert.ok(owner);
    const created = await call(baseUrl, 'POST', '/_matrix/client/v3/createRoom', owner.token, {
      preset: 'public_chat',
    });
    const roomId = String(created.body.room_id);
    for (const sender of senders.slice(1)) {
      const joined = await call(
        baseUrl,
        'POST',
        `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`,
        sender.token,
        {},
      );
      assert.equal(joined.status, 200);
    }

    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = acknowledged.length;
      const sends = Array.from({ length: SENDS }, async (_, index) => {
        const sender = senders[index % SENDERS] ?? owner;
        const txnId = `r${round}-${index}`;
        // The connection breaks for those that the kill overtakes: they were not answered.
        const answer = await send(baseUrl, roomId, sender, txnId).catch(() => undefined);
        if (answer?.status === 200) acknowledged.push({ sender, txnId, eventId: String(answer.body.event_id) });
      });
      // Each round a little later in the thousand.
      const killAt = 10 + round * Math.floor((SENDS - 100) / ROUNDS);
      while (acknowledged.length - before < killAt) await sleep(1);
      await server.kill();
      await Promise.all(sends);
      await server.restart();
      t.diagnostic(`round ${round}: ${acknowledged.length - before} of ${SENDS} were answered`);
    }

    assert.ok(acknowledged.length > 0, 'some sends are answered before the kill');
    assert.ok(acknowledged.length < ROUNDS * SENDS, 'some are not: the kill came in the middle');
    const found = await messages(baseUrl, roomId, owner);
    for (const { eventId, txnId } of acknowledged) assert.equal(found.get(eventId), txnId);
    assert.equal(new Set(found.values()).size, found.size, 'no message is there twice');
    for (let start = 0; start < acknowledged.length; start += RESENDS_AT_ONCE) {
      const resent = acknowledged.slice(start, start + RESENDS_AT_ONCE).map(async ({ sender, txnId, eventId }) => {
        const again = await send(baseUrl, roomId, sender, txnId);
        assert.equal(again.body.event_id, eventId, 'a transaction id still answers with its event');
      });
      await Promise.all(resent);
    }
    assert.equal((await messages(baseUrl, roomId, owner)).size, found.size, 'the resends made no new events');

    await server.kill();
    using database = openDatabase(path.join(server.folder, 'inglenook.db'));
    assert.deepEqual(database.check(), [{ integrity_check: 'ok' }]);
  });
});

function openDatabase(file: string) {
  const database = new Database(file, { fileMustExist: true });
  return {
    check: () => database.prepare('PRAGMA integrity_check').all(),
    [Symbol.dispose]: () => database.close(),
  };
}
