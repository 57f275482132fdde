/**
 * Files through the whole server against a bare node:http server, by turns in one run, and what 200 downloads at once need.
 * node bench/media.ts [rounds]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { TestServer } from '../src/testing/test-server.ts';

const MIB = 1024 * 1024;
const SIZES = [
  { bytes: MIB, perRound: 60, parallel: 4 },
  { bytes: 100 * MIB, perRound: 3, parallel: 1 },
] as const;
const ROUNDS = Number(process.argv[2] ?? 5);
const PARALLEL_DOWNLOADS = 200;
const PARALLEL_BYTES = 10 * MIB;

interface Target {
  readonly baseUrl: string;
  readonly token: string;
  readonly agent: Agent;
}

function send(target: Target, method: string, where: string, body?: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${target.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/octet-stream', 'content-length': body.length }),
    };
    const request = httpRequest(target.baseUrl + where, { method, headers, agent: target.agent });
    request.on('response', resolve).on('error', reject);
    request.end(body);
  });
}

async function drain(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(response, 'end');
  return bytes;
}

async function json(response: IncomingMessage): Promise<{ readonly content_uri?: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Runs `count` operations, `parallel` at a time; gives MiB/s. */
async function rate(
  count: number,
  parallel: number,
  bytes: number,
  work: (i: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return (count * bytes) / MIB / ((performance.now() - start) / 1000);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

async function rssMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function startBare(folder: string): Promise<{ child: ChildProcess; baseUrl: string }> {
  const file = path.join(import.meta.dirname, 'media-bare-server.ts');
  const child = spawn(process.execPath, [file, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout ?? child, 'data');
  return { child, baseUrl: `http://127.0.0.1:${String(port).trim()}` };
}

const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-bench-'));
const bare = await startBare(folder);
await using hs = await TestServer.start({ config: { media: { upload_size_max: '3G' } } });
const { accessToken: token } = await hs.register('alice');
const agent = () => new Agent({ keepAlive: true });
const ours: Target = { baseUrl: hs.baseUrl, token, agent: agent() };
const theirs: Target = { baseUrl: bare.baseUrl, token: '', agent: agent() };
const DOWNLOAD = '/_matrix/client/v1/media/download/';

async function upload(body: Buffer): Promise<string> {
  const { content_uri = '' } = await json(await send(ours, 'POST', '/_matrix/media/v3/upload', body));
  return content_uri.slice('mxc://'.length);
}

/** No two the same, or the second would not be kept. */
function different(body: Buffer): Buffer {
  randomBytes(16).copy(body);
  return body;
}

for (const { bytes, perRound, parallel } of SIZES) {
  const body = randomBytes(bytes);
  const name = `file-${bytes}`;
  await writeFile(path.join(folder, name), body);
  const mxc = await upload(body);
  const down: [number[], number[]] = [[], []];
  const up: [number[], number[]] = [[], []];
  const bodies = Array.from({ length: parallel }, () => Buffer.from(body));
  const bodyOf = (i: number): Buffer => different(bodies[i % parallel] ?? body);
  for (let round = 0; round <= ROUNDS; round++) {
    const measured = [
      await rate(perRound, parallel, bytes, async () => void (await drain(await send(ours, 'GET', DOWNLOAD + mxc)))),
      await rate(perRound, parallel, bytes, async () => void (await drain(await send(theirs, 'GET', `/${name}`)))),
      await rate(perRound, parallel, bytes, async (i) => void (await upload(bodyOf(i)))),
      await rate(perRound, parallel, bytes, async (i) => {
        await drain(await send(theirs, 'POST', '/', bodyOf(i)));
      }),
    ] as const;
    // The first round warms up.
    if (round === 0) continue;
    down[0].push(measured[0]);
    down[1].push(measured[1]);
    up[0].push(measured[2]);
    up[1].push(measured[3]);
  }
  const line = (what: string, [a, b]: [number[], number[]]) =>
    console.log(
      `${what} ${bytes / MIB} MiB x${parallel}: ${median(a).toFixed(0)} MiB/s, bare ${median(b).toFixed(0)} MiB/s, ` +
        `ratio ${median(a.map((value, i) => value / (b[i] ?? 1))).toFixed(2)}`,
    );
  line('download', down);
  line('upload', up);
}

if (hs.pid !== undefined) {
  const pid = hs.pid;
  const before = await rssMib(pid);
  let peak = before;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await rssMib(pid));
  }, 20);
  const mxcs: string[] = [];
  for (let i = 0; i < 10; i++) mxcs.push(await upload(randomBytes(PARALLEL_BYTES)));
  const before2 = await rssMib(pid);
  peak = before2;
  await rate(PARALLEL_DOWNLOADS, PARALLEL_DOWNLOADS, PARALLEL_BYTES, async (i) => {
    const bytes = await drain(await send(ours, 'GET', DOWNLOAD + mxcs[i % 10]));
    if (bytes !== PARALLEL_BYTES) throw new Error(`${bytes} bytes came`);
  });
  console.log(`200 downloads of 10 MiB at once: RSS ${before2.toFixed(0)} -> ${peak.toFixed(0)} MiB`);

  peak = await rssMib(pid);
  const large = peak;
  const stream = httpRequest(`${hs.baseUrl}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-length': 2048 * MIB },
  });
  const answered = once(stream, 'response');
  const block = randomBytes(4 * MIB);
  for (let i = 0; i < 512; i++) if (!stream.write(block)) await once(stream, 'drain');
  stream.end();
  const [response] = await answered;
  await drain(response);
  console.log(`one upload of 2 GiB: RSS ${large.toFixed(0)} -> ${peak.toFixed(0)} MiB, status ${response.statusCode}`);

  const photo = await sharp({
    create: {
      width: 6000,
      height: 4000,
      channels: 3,
      background: '#345',
      noise: { type: 'gaussian', mean: 128, sigma: 20 },
    },
  })
    .jpeg()
    .toBuffer();
  const photos: string[] = [];
  for (let i = 0; i < 20; i++) photos.push(await upload(Buffer.concat([photo, randomBytes(8)])));
  const delays: number[] = [];
  let isDone = false;
  const probe = (async () => {
    while (!isDone) {
      const start = performance.now();
      await drain(await send(ours, 'GET', '/_matrix/client/v3/account/whoami'));
      delays.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const start = performance.now();
  await Promise.all(
    photos.map(async (mxc) => {
      await drain(await send(ours, 'GET', `/_matrix/client/v1/media/thumbnail/${mxc}?width=200&height=200`));
    }),
  );
  isDone = true;
  await probe;
  delays.sort((a, b) => a - b);
  console.log(
    `20 thumbnails of 24 megapixels: ${(performance.now() - start).toFixed(0)} ms; a whoami meanwhile p50 ` +
      `${delays[delays.length >> 1]?.toFixed(1)} ms, p99 ${delays[Math.floor(delays.length * 0.99)]?.toFixed(1)} ms (${delays.length})`,
  );
  clearInterval(timer);
}
bare.child.kill();
ours.agent.destroy();
theirs.agent.destroy();
await rm(folder, { recursive: true });
