/**
 * What files cost the server beside time: its memory with 200 downloads at once and with a file of 2 GiB, and the delay of
 * its event loop while 20 thumbnails of 24 megapixels are made. node bench/media-load.ts
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { TestServer } from '../src/testing/test-server.ts';
import { DOWNLOAD, drain, json, rate, rssMib, send, type Target, upload } from './lib/files-client.ts';

const MIB = 1024 * 1024;
const PARALLEL_DOWNLOADS = 200;
const PARALLEL_BYTES = 10 * MIB;
const LARGE_BYTES = 2048 * MIB;
const THUMBNAILS = 20;
const SAMPLE_MS = 20;

const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-bench-'));
const delayFile = path.join(folder, 'delay.json');
// Inherited by the server.
process.env.NODE_OPTIONS = `--import=${path.join(import.meta.dirname, 'lib/event-loop-probe.ts')}`;
process.env.EVENT_LOOP_DELAY_FILE = delayFile;
await using hs = await TestServer.start({ config: { media: { upload_size_max: '3G' } } });
const { accessToken: token } = await hs.register('alice');
const target: Target = { baseUrl: hs.baseUrl, token, agent: new Agent({ keepAlive: true }) };
const pid = hs.pid ?? 0;

/** Prints by how much the server's memory grows at most while something is done. */
async function watchMemory(what: string, work: () => Promise<void>): Promise<void> {
  const before = await rssMib(pid);
  let peak = before;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await rssMib(pid));
  }, SAMPLE_MS);
  await work();
  clearInterval(timer);
  console.log(`${what}: RSS ${before.toFixed(0)} -> ${peak.toFixed(0)} MiB, ${(peak - before).toFixed(0)} more`);
}

async function uploadLarge(): Promise<string> {
  const request = httpRequest(`${hs.baseUrl}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-length': LARGE_BYTES },
  });
  const answered = once(request, 'response');
  const block = randomBytes(4 * MIB);
  for (let sent = 0; sent < LARGE_BYTES; sent += block.length) {
    if (!request.write(block)) await once(request, 'drain');
  }
  request.end();
  const [response] = await answered;
  const { content_uri = '' } = await json(response);
  return content_uri.slice('mxc://'.length);
}

async function download(mxc: string, expectedBytes: number): Promise<void> {
  const bytes = await drain(await send(target, 'GET', DOWNLOAD + mxc));
  if (bytes !== expectedBytes) throw new Error(`${bytes} bytes came`);
}

/** The delays of the server's event loop since it was last asked, in milliseconds. */
async function takeDelays(): Promise<{ readonly p99: number; readonly max: number }> {
  await rm(delayFile, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    await sleep(SAMPLE_MS);
    const text = await readFile(delayFile, 'utf8').catch(() => '');
    if (text !== '') return JSON.parse(text);
  }
}

// Something before, so that the figures are those of a server that is at work.
let large = '';
await watchMemory('a first upload of 10 MiB', async () => void (await upload(target, randomBytes(PARALLEL_BYTES))));
await watchMemory('one upload of 2 GiB', async () => {
  large = await uploadLarge();
});
await watchMemory('one download of 2 GiB', () => download(large, LARGE_BYTES));
const mxcs: string[] = [];
for (let i = 0; i < 10; i++) mxcs.push(await upload(target, randomBytes(PARALLEL_BYTES)));
await watchMemory('200 downloads of 10 MiB at once', async () => {
  await rate(PARALLEL_DOWNLOADS, PARALLEL_DOWNLOADS, PARALLEL_BYTES, (i) =>
    download(mxcs[i % mxcs.length] ?? '', PARALLEL_BYTES),
  );
});

const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
const photo = await sharp({ create: { width: 6000, height: 4000, channels: 3, background: '#345', noise } })
  .jpeg()
  .toBuffer();
const photos: string[] = [];
for (let i = 0; i < THUMBNAILS; i++) photos.push(await upload(target, Buffer.concat([photo, randomBytes(8)])));
await takeDelays();
await sleep(2000);
const idle = await takeDelays();
const start = performance.now();
await Promise.all(
  photos.map(async (mxc) => {
    await drain(await send(target, 'GET', `/_matrix/client/v1/media/thumbnail/${mxc}?width=200&height=200`));
  }),
);
const tookMs = performance.now() - start;
const busy = await takeDelays();
console.log(
  `${THUMBNAILS} thumbnails of 24 megapixels: ${tookMs.toFixed(0)} ms; delay of the event loop p99 ${busy.p99.toFixed(1)} ms, ` +
    `at most ${busy.max.toFixed(1)} ms (idle: ${idle.p99.toFixed(1)} and ${idle.max.toFixed(1)} ms)`,
);
target.agent.destroy();
await rm(folder, { recursive: true });
