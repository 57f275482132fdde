import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { Staging } from './staging.ts';

const CHUNK_BYTES = 64 * 1024;

async function openStaging(t: TestContext): Promise<Staging> {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-staging-'));
  t.after(() => rm(folder, { recursive: true }));
  return Staging.open(folder);
}

/** Chunks with memory of their own, as node:http gives them. */
function ownChunks(count: number): Buffer[] {
  return Array.from({ length: count }, () => randomBytes(CHUNK_BYTES));
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('Staging.receive', () => {
  it('gives the memory of our chunks back, once they are written', async (t) => {
    const staging = await openStaging(t);
    const chunks = ownChunks(40);
    const whole = Buffer.concat(chunks);
    await using staged = await staging.receive(Readable.from(chunks), 'ours');
    assert.equal(staged.sha256, hashOf(whole));
    assert.deepEqual(await readFile(staged.path), whole);
    assert.equal(chunks.filter(({ byteLength }) => byteLength > 0).length, 0);
  });

  it('leaves chunks that others may see, and those that share their memory', async (t) => {
    const staging = await openStaging(t);
    const chunks = ownChunks(10);
    const copy = Buffer.concat(chunks);
    await using shared = await staging.receive(Readable.from(chunks));
    assert.deepEqual(Buffer.concat(chunks), copy);
    const halves = [copy.subarray(0, 1000), copy.subarray(1000)];
    await using parts = await staging.receive(Readable.from(halves), 'ours');
    assert.equal(parts.sha256, shared.sha256);
    assert.equal(hashOf(copy), shared.sha256);
  });

  it('leaves nothing of a stream that fails in the middle', async (t) => {
    const staging = await openStaging(t);
    const broken = Readable.from(
      (async function* () {
        yield* ownChunks(20);
        throw new Error('the line broke');
      })(),
    );
    await assert.rejects(staging.receive(broken, 'ours'), /the line broke/);
    assert.deepEqual(await readdir(staging.folder), []);
  });

  it('reads no further ahead than two writes', async (t) => {
    const staging = await openStaging(t);
    const block = randomBytes(CHUNK_BYTES);
    let aheadBytesMax = 0;
    async function* source() {
      for (let givenBytes = 0; givenBytes < 400 * CHUNK_BYTES; givenBytes += CHUNK_BYTES) {
        yield block;
        const [name = ''] = await readdir(staging.folder);
        const { size } = await stat(path.join(staging.folder, name));
        aheadBytesMax = Math.max(aheadBytesMax, givenBytes - size);
      }
    }
    await using staged = await staging.receive(Readable.from(source()));
    assert.equal(staged.sizeBytes, 400 * CHUNK_BYTES);
    assert.ok(aheadBytesMax < 4 * 512 * 1024, `${aheadBytesMax} bytes were waiting`);
  });
});
