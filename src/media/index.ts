/** Media: files, thumbnails and link previews, and that the disk doesn't only grow. */
import type { IncomingHttpHeaders } from 'node:http';
import path from 'node:path';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import type { Reply } from '../http/result.ts';
import type { Jobs } from '../jobs/index.ts';
import { notFound } from '../protocol/errors.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import { Blobs } from './blobs/blobs.ts';
import { LocalBlobs } from './blobs/local-blobs.ts';
import { Staging } from './blobs/staging.ts';
import { cleanFileName } from './file-name.ts';
import { type FindOptions, Library, type RemoteMedia } from './library.ts';
import { type MediaRules, rulesOf } from './rules.ts';
import { serve } from './serve.ts';
import { Uploads } from './uploads.ts';

export type { FindOptions, RemoteMedia } from './library.ts';
export type { MediaItem } from './media-item.ts';
export { mediaMigrations } from './store/migrations.ts';
export type { Upload } from './uploads.ts';

export interface MediaOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly config: Config['media'];
  /** Gets files of other servers; undefined while there is no federation. */
  readonly remote?: RemoteMedia;
  /** What goes wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** Who may have a file: anyone where it is open, or those who are logged in. */
export type Access = 'open' | 'authenticated';

/** A download that is asked for. */
export interface Download extends FindOptions {
  readonly origin: ServerName;
  readonly mediaId: string;
  /** Instead of the file's own name. */
  readonly fileName?: string | undefined;
  readonly access: Access;
  /** For ranges and conditions. */
  readonly headers: IncomingHttpHeaders;
}

/** The face of this domain. */
export class Media implements AsyncDisposable {
  readonly serverName: ServerName;
  readonly rules: MediaRules;
  readonly uploads: Uploads;
  readonly library: Library;
  readonly #blobs: Blobs;

  /** Opens the folders and mends what a crash left. */
  static async open(options: MediaOptions): Promise<Media> {
    const { database, clock, config } = options;
    const staging = await Staging.open(path.join(config.folder, 'incoming'));
    const local = await LocalBlobs.open(path.join(config.folder, 'files'));
    return new Media(options, await Blobs.open({ database, clock, staging, stores: [local] }));
  }

  private constructor(options: MediaOptions, blobs: Blobs) {
    const { database, hub, clock, serverName, config, remote, onError } = options;
    this.serverName = serverName;
    this.rules = rulesOf(config);
    this.#blobs = blobs;
    this.uploads = new Uploads({ database, blobs, hub, clock, serverName, rules: this.rules });
    this.library = new Library({ database, hub, clock, serverName, remote, onError });
  }

  /** The file, for a client. Throws `M_NOT_FOUND` also where it isn't open to those who are not logged in. */
  async download(download: Download): Promise<Reply> {
    const { origin, mediaId, access, headers } = download;
    const item = await this.library.get(origin, mediaId, download);
    if (access === 'open' && !item.isOpen) throw notFound('No such file');
    const fileName = cleanFileName(download.fileName) ?? item.fileName;
    return serve(this.#blobs, { ...item, fileName }, headers, access);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.library[Symbol.asyncDispose]();
  }
}
