import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Database } from '../../storage/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { insertBlob } from './blob-rows.ts';
import { insertMedia } from './media-rows.ts';
import { mediaMigrations } from './migrations.ts';
import { putThumbnail } from './thumbnail-rows.ts';
import { listLostSources, listMediaWithoutBlob } from './tidy-rows.ts';

async function addMedia(database: Database, mediaId: string, sha256: string): Promise<void> {
  await database.write('main', (tx) =>
    insertMedia(tx, {
      origin: 'a.example',
      media_id: mediaId,
      uploader: null,
      content_type: null,
      file_name: null,
      sha256,
      size_bytes: 1,
      created_ts: 1,
      unused_expires_ts: null,
      last_access_ts: 1,
      is_open: 0,
      is_quarantined: 0,
      quarantined_by: null,
      is_protected: 0,
    }),
  );
}

forEachDatabase((_, openDatabase) => {
  it('finds by pages all media without a file, and all thumbnails of nothing', async () => {
    const database = await openDatabase(mediaMigrations);
    const kept = { sha256: 'kept', size_bytes: 1, store: 'local', created_ts: 1 };
    await database.write('main', (tx) => insertBlob(tx, kept));
    for (const id of ['kept', 'a', 'b', 'c']) {
      await addMedia(database, id, id);
      const size = { width: 1, height: 1, method: 'crop', is_animated: 0, size_bytes: 1, content_type: 'x' } as const;
      for (const source of [id, `${id} lost`]) {
        await database.write('main', (tx) => putThumbnail(tx, { ...size, source_sha256: source, sha256: id }));
      }
    }
    const first = await database.read((tx) => listMediaWithoutBlob(tx, -1, 2));
    const rest = await database.read((tx) => listMediaWithoutBlob(tx, first.at(-1)?.media_nid ?? 0, 2));
    assert.deepEqual(
      [...first, ...rest].map((row) => row.media_id),
      ['a', 'b', 'c'],
    );
    const sources = await database.read((tx) => listLostSources(tx, '', 3));
    const others = await database.read((tx) => listLostSources(tx, sources.at(-1) ?? '', 3));
    assert.deepEqual([...sources, ...others], ['a lost', 'b lost', 'c lost', 'kept lost']);
  });
});
