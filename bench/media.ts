/**
 * Files through the whole server against a bare node:http server, by turns in one run.
 * node bench/media.ts [rounds]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TestServer } from '../src/testing/test-server.ts';
import { DOWNLOAD, drain, median, rate, send, type Target, upload } from './lib/files-client.ts';

const MIB = 1024 * 1024;
const SIZES = [
  { bytes: MIB, perRound: 60, parallel: 1 },
  { bytes: MIB, perRound: 120, parallel: 4 },
  { bytes: 100 * MIB, perRound: 3, parallel: 1 },
] as const;
const ROUNDS = Number(process.argv[2] ?? 5);

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
/** No two the same, or the second would not be kept. */
function different(body: Buffer): Buffer {
  randomBytes(16).copy(body);
  return body;
}

for (const { bytes, perRound, parallel } of SIZES) {
  const body = randomBytes(bytes);
  const name = `file-${bytes}`;
  await writeFile(path.join(folder, name), body);
  const mxc = await upload(ours, body);
  const down: [number[], number[]] = [[], []];
  const up: [number[], number[]] = [[], []];
  const bodies = Array.from({ length: parallel }, () => Buffer.from(body));
  const bodyOf = (i: number): Buffer => different(bodies[i % parallel] ?? body);
  for (let round = 0; round <= ROUNDS; round++) {
    const measured = [
      await rate(perRound, parallel, bytes, async () => void (await drain(await send(ours, 'GET', DOWNLOAD + mxc)))),
      await rate(perRound, parallel, bytes, async () => void (await drain(await send(theirs, 'GET', `/${name}`)))),
      await rate(perRound, parallel, bytes, async (i) => void (await upload(ours, bodyOf(i)))),
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

bare.child.kill();
ours.agent.destroy();
theirs.agent.destroy();
await rm(folder, { recursive: true });
