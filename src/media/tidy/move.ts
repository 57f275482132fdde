import type { Database } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import { listBlobs } from '../store/tidy-rows.ts';

const PAGE = 500;

/** Moves every file that lies in another store to the one where new files go; what is interrupted can be called again. */
export async function moveBlobs(database: Database, blobs: Blobs): Promise<number> {
  let movedCount = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    const from: string = after;
    const page = await database.read((tx) => listBlobs(tx, from, PAGE));
    for (const { sha256 } of page) if (await blobs.move(sha256)) movedCount++;
    after = page.length < PAGE ? undefined : page.at(-1)?.sha256;
  }
  return movedCount;
}
