/** Small versions of pictures: made once, kept as files. */

import { KeyedLocks } from '../../keyed-locks.ts';
import { MatrixError, notFound, tooLarge } from '../../protocol/errors.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import { essenceOf } from '../content-types.ts';
import type { MediaItem } from '../media-item.ts';
import type { Servable } from '../serve.ts';
import {
  findPicture,
  findThumbnail,
  listThumbnails,
  type PictureRow,
  putPicture,
  putThumbnail,
  type ThumbnailRow,
} from '../store/thumbnail-rows.ts';
import { COVER, type Covers } from './covers.ts';
import type { PictureTask } from './messages.ts';
import type { PictureProcesses } from './picture-processes.ts';
import { planThumbnail, type Size, type ThumbnailWish } from './plan.ts';

export interface ThumbnailsDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly processes: PictureProcesses;
  readonly covers: Covers;
  readonly serverName: ServerName;
  readonly pixelsMax: number;
}

/** Of one file no more are made than this: after that, clients get the picture itself. */
const THUMBNAILS_PER_FILE_MAX = 64;

/** The originals that can stand for their own thumbnail. Spec: the content types of the thumbnail endpoint. */
const SHOWN_TYPES: Readonly<Record<string, string>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
};

/** What is made when a picture comes, where the configuration wants that. Spec: client-server-api/#thumbnails */
const SPEC_SIZES: readonly ThumbnailWish[] = [
  { width: 32, height: 32, method: 'crop', isAnimated: false },
  { width: 96, height: 96, method: 'crop', isAnimated: false },
  { width: 320, height: 240, method: 'scale', isAnimated: false },
  { width: 640, height: 480, method: 'scale', isAnimated: false },
  { width: 800, height: 600, method: 'scale', isAnimated: false },
];

/** Makes and finds thumbnails. */
export class Thumbnails {
  readonly #deps: ThumbnailsDeps;
  readonly #locks = new KeyedLocks();

  constructor(deps: ThumbnailsDeps) {
    this.#deps = deps;
  }

  /**
   * The thumbnail of a file, or the file where it is small enough itself. Throws 400 `M_UNKNOWN` where there can be none,
   * `M_TOO_LARGE` for pictures with too many pixels: 413 for ours, 502 for other servers'.
   */
  async get(item: MediaItem, wish: ThumbnailWish): Promise<Servable> {
    const picture = await this.#pictureOrCover(item);
    if (picture === undefined || picture.width === 0) throw unsupported();
    if (picture.width * picture.height > this.#deps.pixelsMax) throw this.#tooLarge(item);
    const isAnimated = wish.isAnimated && this.#canAnimate(picture);
    const planned = planThumbnail(picture, wish);
    if (planned === 'original' && isShowable(item, picture, isAnimated)) return item;
    const size = planned === 'original' ? picture : planned;
    const key = keyOf(item.sha256, size, wish.method, isAnimated);
    const known = await this.#find(key);
    if (known !== undefined) return servable(known);
    return this.#locks.run(item.sha256, async () => {
      const meanwhile = await this.#find(key);
      return meanwhile === undefined ? this.#make(item, picture, key) : servable(meanwhile);
    });
  }

  /** Makes the sizes that the specification names. Files that are no pictures are passed over. */
  async makeAll(item: MediaItem): Promise<void> {
    for (const wish of SPEC_SIZES) {
      try {
        await this.get(item, wish);
      } catch (error) {
        if (error instanceof MatrixError) return;
        throw error;
      }
    }
  }

  /** What a file is as a picture: looked up, or found out. Undefined where the file is lost. */
  async pictureOf(sha256: string): Promise<PictureRow | undefined> {
    const { database, blobs, processes, pixelsMax } = this.#deps;
    const find = () => database.read((tx) => findPicture(tx, sha256));
    const known = await find();
    if (known !== undefined) return known;
    return this.#locks.run(sha256, async () => {
      const meanwhile = await find();
      if (meanwhile !== undefined) return meanwhile;
      await using copy = await blobs.asFile(sha256);
      if (copy === undefined) return undefined;
      const answer = await processes.run({ do: 'probe', input: copy.path, pixelsMax });
      const probed = 'probed' in answer ? answer.probed : undefined;
      const row = {
        sha256,
        format: probed?.format ?? null,
        width: probed?.width ?? 0,
        height: probed?.height ?? 0,
        frame_count: probed?.frameCount ?? 0,
      };
      await database.write('main', (tx) => putPicture(tx, row));
      return row;
    });
  }

  async #pictureOrCover(item: MediaItem): Promise<PictureRow | undefined> {
    const { covers } = this.#deps;
    const picture = await this.pictureOf(item.sha256);
    if (picture === undefined || !covers.mayHave(item, picture)) return picture;
    return this.#locks.run(item.sha256, async () => {
      const meanwhile = await this.#deps.database.read((tx) => findPicture(tx, item.sha256));
      return meanwhile !== undefined && covers.mayHave(item, meanwhile) ? covers.make(item.sha256) : meanwhile;
    });
  }

  /** Spec: client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid */
  #tooLarge({ origin }: MediaItem): MatrixError {
    const message = 'The picture has too many pixels';
    if (origin === this.#deps.serverName) return tooLarge(message);
    return new MatrixError('M_TOO_LARGE', message, { status: 502 });
  }

  #find(key: KeyOf): Promise<ThumbnailRow | undefined> {
    return this.#deps.database.read((tx) => findThumbnail(tx, key));
  }

  /** All frames count against the limit of pixels. */
  #canAnimate({ frame_count, width, height }: PictureRow): boolean {
    return frame_count > 1 && frame_count * width * height <= this.#deps.pixelsMax;
  }

  async #make(item: MediaItem, picture: PictureRow, key: KeyOf): Promise<Servable> {
    const { database, blobs, processes, covers, pixelsMax } = this.#deps;
    const others = await database.read((tx) => listThumbnails(tx, item.sha256));
    if (others.length >= THUMBNAILS_PER_FILE_MAX) return item;
    await using copy = await (picture.format === COVER ? covers.fileOf(picture) : blobs.asFile(item.sha256));
    if (copy === undefined) throw notFound('The file is lost');
    const output = blobs.staging.newPath();
    const { width, height, method } = key;
    const isAnimated = key.is_animated === 1;
    const task: PictureTask = { do: 'make', input: copy.path, output, width, height, method, isAnimated, pixelsMax };
    const answer = await processes.run(task);
    if (!('contentType' in answer)) {
      await blobs.staging.remove(output);
      throw unsupported();
    }
    await using staged = await blobs.staging.adopt(output);
    const row = { ...key, sha256: staged.sha256, size_bytes: staged.sizeBytes, content_type: answer.contentType };
    await blobs.keep(staged, (tx) => putThumbnail(tx, row));
    return servable(row);
  }
}

type KeyOf = ReturnType<typeof keyOf>;

function keyOf(source: string, { width, height }: Size, method: 'crop' | 'scale', isAnimated: boolean) {
  return { source_sha256: source, width, height, method, is_animated: isAnimated ? 1 : 0 };
}

/** Whether the file can be sent as its own thumbnail: its type is what it is, and it moves only where that is wished. */
function isShowable(item: MediaItem, picture: PictureRow, isAnimated: boolean): boolean {
  const type = picture.format === null ? undefined : SHOWN_TYPES[picture.format];
  return type === essenceOf(item.contentType) && (picture.frame_count <= 1 || isAnimated);
}

function servable(row: ThumbnailRow): Servable {
  const extension = row.content_type.slice('image/'.length);
  return {
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
    contentType: row.content_type,
    fileName: `thumbnail.${extension === 'jpeg' ? 'jpg' : extension}`,
  };
}

const unsupported = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'There can be no thumbnail of this file', { status: 400 });
