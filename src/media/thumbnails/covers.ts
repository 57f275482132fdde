/** Pictures that stand for films and music. A cover is kept like a thumbnail of the file, as large as the file's "picture". */

import { Slots } from '../../slots.ts';
import type { Database } from '../../storage/index.ts';
import type { Blobs, LocalCopy } from '../blobs/blobs.ts';
import { matchesType } from '../content-types.ts';
import type { MediaItem } from '../media-item.ts';
import { findThumbnail, type PictureRow, putPicture, putThumbnail } from '../store/thumbnail-rows.ts';
import { makeCover } from './ffmpeg.ts';
import type { PictureProcesses } from './picture-processes.ts';

export interface CoversDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly processes: PictureProcesses;
  readonly pixelsMax: number;
  readonly timeoutMs: number;
  /** The program; undefined: no covers. */
  readonly ffmpeg: string | undefined;
  readonly processesMax: number;
}

/** As `media_pictures.format`: there is a cover, or there can't be one. */
export const COVER = 'cover';
const NO_COVER = 'none';
const TYPES = ['video/*', 'audio/*', 'application/ogg'];
const WAITING_MAX = 100;

/** Makes and finds covers. */
export class Covers {
  readonly #deps: CoversDeps;
  readonly #slots: Slots;

  constructor(deps: CoversDeps) {
    this.#deps = deps;
    this.#slots = new Slots({ perKeyMax: deps.processesMax, waitingMax: WAITING_MAX });
  }

  /** Whether a file that is no picture may have a cover, and nobody has looked yet. */
  mayHave(item: MediaItem, picture: PictureRow): boolean {
    return this.#deps.ffmpeg !== undefined && picture.format === null && matchesType(item.contentType, TYPES);
  }

  /** Makes the cover of a file; what is known of it as a picture then. To be called by one at a time for a file. */
  async make(sha256: string): Promise<PictureRow | undefined> {
    const { blobs, database } = this.#deps;
    const output = blobs.staging.newPath();
    await using parts = new AsyncDisposableStack();
    parts.defer(() => blobs.staging.remove(output));
    const size = await this.#slots.run('', () => this.#extract(sha256, output));
    if (size === undefined) return undefined;
    if (size === 'none') {
      const none = { sha256, format: NO_COVER, width: 0, height: 0, frame_count: 0 };
      await database.write('main', (tx) => putPicture(tx, none));
      return none;
    }
    const staged = parts.use(await blobs.staging.adopt(output));
    const row: PictureRow = { sha256, format: COVER, ...size, frame_count: 1 };
    const thumbnail = { sha256: staged.sha256, size_bytes: staged.sizeBytes, content_type: 'image/jpeg' };
    await blobs.keep(staged, async (tx) => {
      await putThumbnail(tx, { ...keyOf(row), ...thumbnail });
      await putPicture(tx, row);
    });
    return row;
  }

  /** The file of a cover. Undefined where it is lost. */
  async fileOf(picture: PictureRow): Promise<LocalCopy | undefined> {
    const { database, blobs } = this.#deps;
    const find = () => database.read((tx) => findThumbnail(tx, keyOf(picture)));
    let row = await find();
    if (row === undefined && (await this.make(picture.sha256)) !== undefined) row = await find();
    return row === undefined ? undefined : blobs.asFile(row.sha256);
  }

  /** Undefined where nothing can be said: the file is lost, or the program isn't there. */
  async #extract(sha256: string, output: string) {
    const { blobs, ffmpeg, processes, timeoutMs, pixelsMax } = this.#deps;
    await using copy = await blobs.asFile(sha256);
    if (copy === undefined || ffmpeg === undefined) return undefined;
    const outcome = await makeCover({ ffmpeg, input: copy.path, output, timeoutMs, pixelsMax });
    if (outcome !== 'made') return outcome === 'none' ? outcome : undefined;
    const answer = await processes.run({ do: 'probe', input: output, pixelsMax });
    if (!('probed' in answer) || answer.probed.format === undefined) return 'none';
    return { width: answer.probed.width, height: answer.probed.height };
  }
}

function keyOf({ sha256, width, height }: PictureRow) {
  return { source_sha256: sha256, width, height, method: 'scale', is_animated: 0 } as const;
}
