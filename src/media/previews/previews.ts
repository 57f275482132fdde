/** Link previews: what a page says about itself, fetched by the server, so that its readers stay unknown to it. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { AddressPolicy } from '../../address-policy.ts';
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config/index.ts';
import { KeyedLocks } from '../../keyed-locks.ts';
import { forbidden, invalidParam, MatrixError } from '../../protocol/errors.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import { Slots } from '../../slots.ts';
import type { Database } from '../../storage/index.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { StagedFile } from '../blobs/staging.ts';
import { cleanContentType, essenceOf } from '../content-types.ts';
import type { Intake } from '../intake.ts';
import { findMedia, insertMedia } from '../store/media-rows.ts';
import { findPreview, putPreview } from '../store/preview-rows.ts';
import type { Thumbnails } from '../thumbnails/thumbnails.ts';
import type { Deletions } from '../tidy/deletions.ts';
import { decodePage } from './charset.ts';
import { type Fetched, GuardedFetch, RefusedAddressError, type Resolve } from './guarded-fetch.ts';
import { readOembed } from './oembed.ts';
import { readPage } from './page.ts';

export interface PreviewsDeps {
  readonly database: Database;
  readonly blobs: Blobs;
  readonly intake: Intake;
  readonly deletions: Deletions;
  readonly thumbnails: Thumbnails;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly config: Config['media']['previews'];
  readonly resolve?: Resolve;
}

/** Open Graph properties, and `matrix:image:size`. */
export type Preview = Readonly<Record<string, string | number>>;

/** Heads of pages come first; few need more. */
const PAGE_BYTES_MAX = 1024 * 1024;
const OEMBED_BYTES_MAX = 64 * 1024;
/** How long a page that couldn't be fetched isn't asked again. */
const FAILURE_KEPT_MS = 5 * 60_000;
const MEDIA_ID_BYTES = 18;
/** Pages and pictures are held in memory while they are fetched. */
const FETCHED_AT_ONCE_MAX = 8;
const WAITING_MAX = 200;

interface Found {
  readonly preview: Preview;
  readonly imageId: string | null;
  readonly isFailure: boolean;
}

const NOTHING: Found = { preview: {}, imageId: null, isFailure: true };

/** Fetches, caches and answers. */
export class Previews implements AsyncDisposable {
  readonly #deps: PreviewsDeps;
  readonly #fetch: GuardedFetch;
  readonly #locks = new KeyedLocks();
  readonly #slots = new Slots({ perKeyMax: FETCHED_AT_ONCE_MAX, waitingMax: WAITING_MAX });

  constructor(deps: PreviewsDeps) {
    this.#deps = deps;
    const { allowed_addresses, denied_addresses, allowed_hosts, denied_hosts, user_agent } = deps.config;
    const mayAsk = (host: string): boolean =>
      (allowed_hosts.length === 0 || matchesHost(host, allowed_hosts)) && !matchesHost(host, denied_hosts);
    this.#fetch = new GuardedFetch({
      policy: new AddressPolicy({ allowed: allowed_addresses, denied: denied_addresses }),
      isHostAllowed: mayAsk,
      userAgent: user_agent,
      ...(deps.resolve === undefined ? {} : { resolve: deps.resolve }),
    });
  }

  /**
   * The preview of an address, empty where nothing is known. Throws `M_INVALID_PARAM` for what is no address, `M_FORBIDDEN`
   * where it may not be asked or previews are off, 502 `M_UNKNOWN` where it didn't answer, `M_LIMIT_EXCEEDED` where too many wait.
   */
  async get(address: string): Promise<Preview> {
    const { config, database, clock } = this.#deps;
    if (!config.enabled) throw forbidden('This server makes no link previews');
    const url = URL.parse(address);
    if (url === null) throw invalidParam('Not a URL');
    url.hash = '';
    const key = url.href;
    return this.#locks.run(key, async () => {
      const known = await database.read((tx) => findPreview(tx, key));
      if (known !== undefined && known.expires_ts > clock.now()) return answer(known.json, known.is_failure === 1);
      const found = await this.#slots.run('', () => this.#find(url));
      const json = JSON.stringify(found.preview);
      await database.write('main', (tx) =>
        putPreview(tx, {
          url: key,
          json,
          image_media_id: found.imageId,
          is_failure: found.isFailure ? 1 : 0,
          fetched_ts: clock.now(),
          expires_ts: clock.now() + (found.isFailure ? FAILURE_KEPT_MS : config.cache),
        }),
      );
      await this.#forgetImage(known?.image_media_id ?? null);
      return answer(json, found.isFailure);
    });
  }

  /** The picture of the preview that was here before: nothing else would delete it. */
  async #forgetImage(mediaId: string | null): Promise<void> {
    if (mediaId === null) return;
    const { database, serverName, deletions } = this.#deps;
    const row = await database.read((tx) => findMedia(tx, serverName, mediaId));
    if (row !== undefined && row.is_protected === 0) await deletions.delete([row], 'the link preview is old');
  }

  async #find(url: URL): Promise<Found> {
    try {
      const fetched = await this.#get(
        url,
        PAGE_BYTES_MAX,
        true,
        'text/html, application/xhtml+xml, image/*;q=0.9, */*;q=0.5',
      );
      if (fetched === undefined) return NOTHING;
      const type = essenceOf(fetched.contentType);
      if (type === 'text/html' || type === 'application/xhtml+xml') return await this.#ofPage(fetched);
      if (type.startsWith('image/')) return await this.#ofImage(fetched.url);
      return { ...NOTHING, isFailure: false };
    } catch (error) {
      if (error instanceof MatrixError) throw error;
      if (isRefusal(error)) throw forbidden('This address may not be asked for previews');
      return NOTHING;
    }
  }

  async #ofPage(fetched: Fetched): Promise<Found> {
    const page = await readPage(decodePage(fetched.bytes, fetched.contentType), fetched.url);
    let { facts, image } = page;
    if (page.oembed !== undefined && (image === undefined || facts['og:title'] === undefined)) {
      const more = await this.#oembed(page.oembed);
      facts = { ...more?.facts, ...facts };
      image ??= (more?.image === undefined ? undefined : URL.parse(more.image, fetched.url)) ?? undefined;
    }
    const kept = image === undefined ? undefined : await this.#keepImage(image);
    return { preview: { ...facts, ...kept?.facts }, imageId: kept?.mediaId ?? null, isFailure: false };
  }

  async #ofImage(url: URL): Promise<Found> {
    const kept = await this.#keepImage(url);
    if (kept === undefined) return { ...NOTHING, isFailure: false };
    const name = url.pathname.split('/').at(-1) ?? '';
    const title = name === '' ? {} : { 'og:title': decodeQuietly(name) };
    return { preview: { ...title, ...kept.facts }, imageId: kept.mediaId, isFailure: false };
  }

  async #oembed(url: URL) {
    try {
      const fetched = await this.#get(url, OEMBED_BYTES_MAX, false, 'application/json');
      return fetched === undefined ? undefined : readOembed(fetched.bytes.toString('utf8'));
    } catch {
      return undefined;
    }
  }

  /** Takes a picture into our own repository. Undefined where it can't be had, is none, or a check refuses it. */
  async #keepImage(url: URL): Promise<{ readonly mediaId: string; readonly facts: Preview } | undefined> {
    const { blobs, thumbnails, clock, serverName } = this.#deps;
    const received = await this.#receiveImage(url);
    if (received === undefined) return undefined;
    await using file = received.file;
    const { type } = received;
    const mediaId = randomBytes(MEDIA_ID_BYTES).toString('base64url');
    const { sha256, sizeBytes } = file;
    await blobs.keep(file, (tx) =>
      insertMedia(tx, {
        origin: serverName,
        media_id: mediaId,
        uploader: null,
        content_type: type,
        file_name: null,
        sha256,
        size_bytes: sizeBytes,
        created_ts: clock.now(),
        unused_expires_ts: null,
        last_access_ts: clock.now(),
        is_open: 0,
        is_quarantined: 0,
        quarantined_by: null,
        is_protected: 0,
      }),
    );
    const picture = await thumbnails.pictureOf(sha256);
    const isPicture = picture !== undefined && picture.format !== null;
    const size = isPicture ? { 'og:image:width': picture.width, 'og:image:height': picture.height } : {};
    return {
      mediaId,
      facts: {
        'og:image': `mxc://${serverName}/${mediaId}`,
        'og:image:type': essenceOf(type),
        'matrix:image:size': sizeBytes,
        ...size,
      },
    };
  }

  async #receiveImage(url: URL): Promise<{ readonly file: StagedFile; readonly type: string } | undefined> {
    const { intake, serverName, config } = this.#deps;
    try {
      const fetched = await this.#get(url, config.image_size_max, false, 'image/*');
      const type = cleanContentType(fetched?.contentType);
      if (fetched === undefined || type === undefined || !essenceOf(type).startsWith('image/')) return undefined;
      const facts = { origin: serverName, uploader: undefined, contentType: type, fileName: undefined };
      return { file: await intake.receive(Readable.from([fetched.bytes]), facts), type };
    } catch {
      return undefined;
    }
  }

  #get(url: URL, bytesMax: number, mayCut: boolean, accept: string): Promise<Fetched | undefined> {
    return this.#fetch.get(url, { bytesMax, timeoutMs: this.#deps.config.timeout, mayCut, accept });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetch[Symbol.asyncDispose]();
  }
}

function answer(json: string, isFailure: boolean): Preview {
  if (isFailure) throw new MatrixError('M_UNKNOWN', 'The page could not be fetched', { status: 502 });
  return JSON.parse(json);
}

/** undici wraps what the connection says. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof RefusedAddressError ||
    (error instanceof Error && error.cause !== undefined && isRefusal(error.cause))
  );
}

/** `example.com`, or `*.example.com` for it and what is below it. */
function matchesHost(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const bare = pattern.toLowerCase();
    if (!bare.startsWith('*.')) return host === bare;
    return host === bare.slice(2) || host.endsWith(bare.slice(1));
  });
}

function decodeQuietly(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
