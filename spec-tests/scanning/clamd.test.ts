/** The real ClamAV (Debian's clamav-daemon) with one signature: the EICAR test file's. `npm run test:scanning`. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';

const START_TIMEOUT_MS = 60_000;
/** In two pieces, lest a scanner finds this file. */
const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', '-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');

function findClamd(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v clamd']).toString().trim();
  } catch {
    return undefined;
  }
}

const clamd = findClamd();
const skip = clamd === undefined && 'there is no clamd: apt-get install clamav-daemon';

describe('ClamAV', { skip }, () => {
  it('refuses the EICAR file, and large ones that it can not take, and keeps the others', async () => {
    await using parts = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-clamd-'));
    parts.defer(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o755);
    const socket = path.join(folder, 'clamd.ctl');
    const signature = `${createHash('md5').update(EICAR).digest('hex')}:${EICAR.length}:Eicar-Test`;
    await writeFile(path.join(folder, 'test.hdb'), `${signature}\n`);
    const lines = [`LocalSocket ${socket}`, `DatabaseDirectory ${folder}`, 'Foreground yes', 'StreamMaxLength 2M'];
    await writeFile(path.join(folder, 'clamd.conf'), `${lines.join('\n')}\nUser ${process.env.USER ?? 'root'}\n`);
    const daemon = spawn(clamd ?? '', ['-c', path.join(folder, 'clamd.conf')], { stdio: 'ignore' });
    parts.defer(async () => {
      const exited = once(daemon, 'exit');
      if (daemon.kill('SIGKILL')) await exited;
    });
    const until = performance.now() + START_TIMEOUT_MS;
    while (!existsSync(socket)) {
      assert.ok(daemon.exitCode === null && performance.now() < until, 'clamd did not start');
      await sleep(100);
    }
    const hs = parts.use(await TestServer.start({ inProcess: true, config: { media: { scan: { clamd: socket } } } }));
    const { accessToken: token } = await hs.register('alice');
    const upload = async (body: Buffer) =>
      (await hs.request('POST', '/_matrix/media/v3/upload', { token, body })).status;
    assert.equal(await upload(Buffer.from(EICAR)), 403);
    assert.equal(await upload(Buffer.from(`${EICAR}x`)), 200, 'the signature is of the whole file');
    assert.equal(await upload(randomBytes(1_500_000)), 200);
    assert.equal(await upload(randomBytes(4_000_000)), 503, 'above its StreamMaxLength');
    assert.equal(await upload(Buffer.alloc(0)), 200);
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => upload(randomBytes(100_000 + index))));
    assert.ok(many.every((status) => status === 200));
  });
});
