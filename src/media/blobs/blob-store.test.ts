/** Both stores keep what the interface promises. S3 runs against moto's server, where Python has it: INGLENOOK_TEST_MOTO names its program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import type { BlobStore, ByteRange, StoredBlob } from './blob-store.ts';
import { LocalBlobs } from './local-blobs.ts';
import { S3Blobs } from './s3-blobs.ts';
import { Staging } from './staging.ts';

interface Opened extends AsyncDisposable {
  readonly store: BlobStore;
  readonly staging: Staging;
}

const MOTO = process.env.INGLENOOK_TEST_MOTO ?? '';

async function openLocal(): Promise<Opened> {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-blobs-'));
  const store = await LocalBlobs.open(path.join(folder, 'files'));
  return {
    store,
    staging: await Staging.open(path.join(folder, 'incoming')),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function openS3(): Promise<Opened> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  probe.close();
  const child = spawn(MOTO, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}/bucket`;
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await fetch(endpoint, { method: 'PUT' }).catch(() => undefined);
    if (answer?.ok) break;
    if (performance.now() > deadline) throw new Error('moto did not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-blobs-'));
  const keys = { accessKeyId: 'test', secretAccessKey: 'test' };
  return {
    store: new S3Blobs({ endpoint, region: 'us-east-1', prefix: 'media/', ...keys }),
    staging: await Staging.open(folder),
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}

async function listOf(store: BlobStore): Promise<readonly StoredBlob[]> {
  const blobs: StoredBlob[] = [];
  for await (const blob of store.list()) blobs.push(blob);
  return blobs;
}

async function put({ store, staging }: Opened, bytes: Buffer): Promise<string> {
  await using staged = await staging.receive(Readable.from([bytes]));
  await (await store.put(staged)).syncing;
  return staged.sha256;
}

async function get(
  { store }: Opened,
  sha256: string,
  sizeBytes: number,
  range?: ByteRange,
): Promise<Buffer | undefined> {
  const body = await store.open(sha256, sizeBytes, range);
  if (body === undefined) return undefined;
  const chunks: Buffer[] = [];
  const target = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  await body.writeTo(target);
  target.end();
  return Buffer.concat(chunks);
}

const STORES = [
  { name: 'local', open: openLocal, skip: false },
  { name: 's3', open: openS3, skip: existsSync(MOTO) ? false : 'INGLENOOK_TEST_MOTO does not name moto_server' },
];

for (const { name, open, skip } of STORES) {
  describe(`${name} store`, { skip }, () => {
    it('gives back small, empty and large files, and parts of them', async () => {
      await using opened = await open();
      for (const size of [0, 1, 1000, 700_000, 20 * 1024 * 1024 + 7]) {
        const bytes = randomBytes(size);
        const sha256 = await put(opened, bytes);
        assert.equal(await opened.store.sizeOf(sha256), size);
        assert.ok((await get(opened, sha256, size))?.equals(bytes), String(size));
        if (size < 1000) continue;
        const range = { start: 10, end: size - 5 };
        assert.ok((await get(opened, sha256, size, range))?.equals(bytes.subarray(10, size - 4)));
      }
    });

    it('takes a file that is there already, lists what it has, and deletes', async () => {
      await using opened = await open();
      const bytes = randomBytes(5000);
      const sha256 = await put(opened, bytes);
      assert.equal(await put(opened, bytes), sha256);
      assert.deepEqual(await listOf(opened.store), [{ sha256, sizeBytes: 5000 }]);
      await opened.store.delete(sha256);
      await opened.store.delete(sha256);
      assert.equal(await opened.store.sizeOf(sha256), undefined);
      assert.equal(await get(opened, sha256, 5000), undefined);
      assert.deepEqual(await listOf(opened.store), []);
    });
  });
}
