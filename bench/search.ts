/**
 * Search over many messages: how long a query takes, how long the main thread stands still meanwhile, and whether every piece
 * of two characters of Chinese, Japanese and Korean is found. `node bench/search.ts [messages]`; prints one line a figure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeConfig } from '../src/config/index.ts';
import { openDomains } from '../src/homeserver.ts';
import { isBadFilter, parseRoomEventFilter } from '../src/protocol/filter/index.ts';
import { makeUserId, type RoomId, type UserId } from '../src/protocol/ids/index.ts';
import { silentLogger } from '../src/telemetry/log.ts';

const MESSAGES = Number(process.argv[2] ?? 100_000);
const ROOMS = 20;
const AT_ONCE = 500;
const QUERIES = 200;

const HAN = '今天下午三点开会讨论预算问题请大家准时参加北京上海深圳广州项目进度测试报告文件服务器';
const KANA = '今日は会議室で打ち合わせをしますよろしくお願いいたします東京大阪名古屋';
const HANGUL = '오늘회의실에서만나요내일프로젝트보고서를제출하세요서울부산대구';
const WORDS = 'the quick brown fox jumps over a lazy dog while servers sync rooms and people talk about budgets'.split(
  ' ',
);

let seed = 7;
function random(below: number): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((seed / 2_147_483_648) * below);
}

function piece(of: string, length: number): string {
  const characters = [...of];
  return Array.from({ length }, () => characters[random(characters.length)]).join('');
}

function textOf(index: number): string {
  const words = Array.from({ length: 8 }, () => WORDS[random(WORDS.length)]).join(' ');
  const cjk = [HAN, KANA, HANGUL, undefined][index % 4];
  return cjk === undefined ? `${words} word${index % 500}` : `${piece(cjk, 12)} ${words} word${index % 500}`;
}

function percentile(sorted: readonly number[], part: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2);
}

const folder = mkdtempSync(path.join(tmpdir(), 'inglenook-bench-search-'));
try {
  await using domains = await openDomains(makeConfig({ server: { data_folder: folder } }, folder), {
    logger: silentLogger,
  });
  const { accounts, rooms, search } = domains;
  const userId = makeUserId('alice', accounts.serverName) as UserId; // of a fixed name
  const remote = { ip: '127.0.0.1', isLocal: true, userAgent: 'bench' };
  await accounts.registration.registerByAdmin({ username: 'alice', password: 'x', isAdmin: false }, {}, remote);
  const roomIds: RoomId[] = [];
  for (let i = 0; i < ROOMS; i++) roomIds.push(await rooms.create(userId, { preset: 'private_chat' }));
  const texts: string[] = [];
  let started = performance.now();
  while (texts.length < MESSAGES) {
    const batch: Promise<unknown>[] = [];
    for (let i = 0; i < AT_ONCE; i++) {
      const body = textOf(texts.length);
      const roomId = roomIds[texts.length % ROOMS];
      if (roomId === undefined) throw new Error('there are rooms');
      texts.push(body);
      batch.push(rooms.send({ roomId, sender: userId, type: 'm.room.message', content: { msgtype: 'm.text', body } }));
    }
    await Promise.all(batch);
  }
  console.log(`sending: ${((performance.now() - started) / texts.length).toFixed(3)} ms a message`);

  const indexing = monitorEventLoopDelay({ resolution: 1 });
  started = performance.now();
  indexing.enable();
  domains.searchIndexer.start();
  const filter = parseRoomEventFilter({});
  if (isBadFilter(filter)) throw new Error(filter.problem);
  const find = (term: string, order: 'recent' | 'rank', limit = 10) =>
    search.find({ viewer: { userId, deviceId: undefined }, term, keys: [], filter, order, limit, from: undefined });
  const lastWord = `word${(MESSAGES - 1) % 500}`;
  const expected = texts.filter((text) => text.endsWith(` ${lastWord}`)).length;
  while ((await find(lastWord, 'recent')).count < expected) await sleep(50);
  indexing.disable();
  console.log(
    `indexing: ${((performance.now() - started) / MESSAGES).toFixed(3)} ms a message, longest stall ${(indexing.max / 1e6).toFixed(1)} ms`,
  );

  for (const order of ['recent', 'rank'] as const) {
    for (const [what, term] of [
      ['rare word', (i: number) => `word${(i * 7) % 500}`],
      ['two words', (i: number) => `word${(i * 7) % 500} lazy`],
      ['common word', () => 'the'],
      ['two CJK characters', () => piece([HAN, KANA, HANGUL][random(3)] ?? HAN, 2)],
    ] as const) {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const times: number[] = [];
      for (let i = 0; i < QUERIES; i++) {
        const from = performance.now();
        await find(term(i), order);
        times.push(performance.now() - from);
      }
      delay.disable();
      times.sort((a, b) => a - b);
      console.log(
        `${order}, ${what}: p50 ${percentile(times, 0.5)} ms, p95 ${percentile(times, 0.95)} ms, longest stall of the main thread ${(delay.max / 1e6).toFixed(1)} ms`,
      );
    }
  }

  let asked = 0;
  let complete = 0;
  while (asked < 100) {
    const term = piece([HAN, KANA, HANGUL][asked % 3] ?? HAN, 2);
    const wanted = texts.filter((text) => text.includes(term)).length;
    if (wanted === 0) continue;
    asked++;
    if ((await find(term, 'recent')).count === wanted) complete++;
  }
  console.log(`recall of two-character CJK queries: ${complete} of ${asked} complete`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
