/** A file and its row are written at once: neither outlives the other, whatever fails. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import { systemClock } from '../../clock.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { findBlob } from '../store/blob-rows.ts';
import { addUsage, findMedia, insertMedia, usageOf } from '../store/media-rows.ts';
import { mediaMigrations } from '../store/migrations.ts';
import { insertUnsettled, listUnsettled } from '../store/unsettled-rows.ts';
import { Blobs } from './blobs.ts';
import { LocalBlobs } from './local-blobs.ts';
import { type StagedFile, Staging } from './staging.ts';

const ORIGIN = 'a.example';
const ALICE = '@alice:a.example';
const SIZE_BYTES = 100_000;

class Opened implements AsyncDisposable {
  readonly database: Database;
  readonly folder: string;
  readonly local: LocalBlobs;
  readonly blobs: Blobs;

  private constructor(database: Database, folder: string, local: LocalBlobs, blobs: Blobs) {
    this.database = database;
    this.folder = folder;
    this.local = local;
    this.blobs = blobs;
  }

  static async open(database: Database, known?: string): Promise<Opened> {
    const folder = known ?? (await mkdtemp(path.join(tmpdir(), 'inglenook-blobs-')));
    const local = await LocalBlobs.open(path.join(folder, 'files'));
    const staging = await Staging.open(path.join(folder, 'incoming'));
    const journalFile = path.join(folder, 'journal');
    const deps = { database, clock: systemClock, staging, journalFile, stores: [local] } as const;
    return new Opened(database, folder, local, await Blobs.open(deps));
  }

  async stage(bytes = randomBytes(SIZE_BYTES)): Promise<StagedFile> {
    return this.blobs.staging.receive(Readable.from([bytes]));
  }

  keep(staged: StagedFile, mediaId: string): Promise<void> {
    return this.blobs.keep(staged, (tx) => addUpload(tx, staged, mediaId));
  }

  /** What is known of an upload: its row, that of its file, what Alice keeps here, and the file's size. */
  async seen(sha256: string, mediaId: string) {
    const rows = await this.database.read(async (tx) => ({
      media: (await findMedia(tx, ORIGIN, mediaId))?.sha256,
      blob: (await findBlob(tx, sha256))?.size_bytes,
      usedBytes: await usageOf(tx, ALICE),
    }));
    return { ...rows, fileBytes: await this.local.sizeOf(sha256) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.blobs[Symbol.asyncDispose]();
  }
}

async function addUpload(tx: WriteTx, { sha256, sizeBytes }: StagedFile, mediaId: string): Promise<void> {
  await addUsage(tx, ALICE, sizeBytes, 1);
  await insertMedia(tx, {
    origin: ORIGIN,
    media_id: mediaId,
    uploader: ALICE,
    content_type: null,
    file_name: null,
    sha256,
    size_bytes: sizeBytes,
    created_ts: 1,
    unused_expires_ts: null,
    last_access_ts: 1,
    is_open: 0,
    is_quarantined: 0,
    quarantined_by: null,
    is_protected: 0,
  });
}

const NOTHING = { media: undefined, blob: undefined, usedBytes: 0, fileBytes: undefined };

forEachDatabase((_, openDatabase) => {
  it('keeps a file and its rows, and soon forgets that the disk was still at it', async (t) => {
    const database = await openDatabase(mediaMigrations);
    const opened = await Opened.open(database);
    t.after(() => rm(opened.folder, { recursive: true }));
    await using staged = await opened.stage();
    await opened.keep(staged, 'one');
    const whole = { media: staged.sha256, blob: SIZE_BYTES, usedBytes: SIZE_BYTES, fileBytes: SIZE_BYTES };
    assert.deepEqual(await opened.seen(staged.sha256, 'one'), whole);
    assert.deepEqual(await database.read(listUnsettled), [staged.sha256]);
    await opened[Symbol.asyncDispose]();
    assert.deepEqual(await database.read(listUnsettled), []);
  });

  it('takes the rows back where the file can not be made durable', async (t) => {
    const database = await openDatabase(mediaMigrations);
    await using opened = await Opened.open(database);
    t.after(() => rm(opened.folder, { recursive: true }));
    const staged = await opened.stage();
    // Renaming works without it, syncing doesn't.
    await staged.handle.close();
    await assert.rejects(opened.keep(staged, 'one'));
    assert.deepEqual(await opened.seen(staged.sha256, 'one'), NOTHING);
    assert.deepEqual(await database.read(listUnsettled), []);
  });

  it('removes the file where the rows can not be written', async (t) => {
    const database = await openDatabase(mediaMigrations);
    await using opened = await Opened.open(database);
    t.after(() => rm(opened.folder, { recursive: true }));
    await using staged = await opened.stage();
    const failing = opened.blobs.keep(staged, () => Promise.reject(new Error('no')));
    await assert.rejects(failing, /no/);
    assert.deepEqual(await opened.seen(staged.sha256, 'one'), NOTHING);
  });

  it('drops the rows of a file that a power cut has torn, and no others', async (t) => {
    const database = await openDatabase(mediaMigrations);
    const opened = await Opened.open(database);
    t.after(() => rm(opened.folder, { recursive: true }));
    await using torn = await opened.stage();
    await using whole = await opened.stage();
    await opened.keep(torn, 'torn');
    await opened.keep(whole, 'whole');
    await opened[Symbol.asyncDispose]();
    // As if the power had gone between the commit and the end of the sync.
    for (const { sha256 } of [torn, whole]) await database.write('main', (tx) => insertUnsettled(tx, sha256));
    await truncate(opened.local.pathOf(torn.sha256), 4096);
    await truncate(opened.local.pathOf(torn.sha256), SIZE_BYTES);
    await using again = await Opened.open(database, opened.folder);
    assert.deepEqual(await again.seen(torn.sha256, 'torn'), { ...NOTHING, usedBytes: SIZE_BYTES });
    assert.equal((await again.seen(whole.sha256, 'whole')).media, whole.sha256);
    assert.deepEqual(await database.read(listUnsettled), []);
  });

  it('puts a file that was lost back for all whose it is', async (t) => {
    const database = await openDatabase(mediaMigrations);
    await using opened = await Opened.open(database);
    t.after(() => rm(opened.folder, { recursive: true }));
    const bytes = randomBytes(SIZE_BYTES);
    await using first = await opened.stage(bytes);
    await opened.keep(first, 'first');
    await opened.local.delete(first.sha256);
    await using second = await opened.stage(bytes);
    await opened.keep(second, 'second');
    assert.equal((await opened.seen(first.sha256, 'first')).fileBytes, SIZE_BYTES);
    assert.equal((await opened.seen(first.sha256, 'second')).media, first.sha256);
  });
});
