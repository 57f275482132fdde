import type { FileHandle } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { S3mini } from 's3mini';
import { WrittenBody } from '../../http/result.ts';
import type { BlobStore, ByteRange, PutBlob, StoredBlob } from './blob-store.ts';
import type { StagedFile } from './staging.ts';

export interface S3Options {
  /** With the bucket: `https://s3.example.com/bucket`, or `https://bucket.s3.example.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Before each key: `media/`. */
  readonly prefix: string;
}

/** Larger files go in parts of this size, one after the other: so much of an upload is in memory. S3 wants at least 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;
const LIST_PAGE = 1000;
const NOT_FOUND = 404;

/** Objects in a bucket of S3 or of a compatible service, `prefix/ab/ab12…`. */
export class S3Blobs implements BlobStore {
  readonly name = 's3';
  readonly #client: S3mini;
  readonly #prefix: string;

  constructor({ endpoint, region, accessKeyId, secretAccessKey, prefix }: S3Options) {
    this.#client = new S3mini({ endpoint, region, accessKeyId, secretAccessKey });
    this.#prefix = prefix;
  }

  pathOf(): undefined {
    return undefined;
  }

  async sizeOf(sha256: string): Promise<number | undefined> {
    const exists = await this.#client.objectExists(this.#keyOf(sha256));
    return exists === true ? this.#client.getContentLength(this.#keyOf(sha256)) : undefined;
  }

  async put(staged: StagedFile): Promise<PutBlob> {
    const key = this.#keyOf(staged.sha256);
    if (staged.sizeBytes > PART_BYTES) await this.#putInParts(key, staged);
    else await this.#putWhole(key, staged);
    return { syncing: undefined };
  }

  async #putWhole(key: string, { handle, sizeBytes }: StagedFile): Promise<void> {
    const { ok, status } = await this.#client.putObject(key, await readPart(handle, 0, sizeBytes));
    if (!ok) throw new Error(`the object store answered ${status}`);
  }

  async #putInParts(key: string, { handle, sizeBytes }: StagedFile): Promise<void> {
    const uploadId = await this.#client.getMultipartUploadId(key);
    try {
      const parts = [];
      for (let start = 0; start < sizeBytes; start += PART_BYTES) {
        const part = await readPart(handle, start, Math.min(PART_BYTES, sizeBytes - start));
        parts.push(await this.#client.uploadPart(key, uploadId, part, parts.length + 1));
      }
      await this.#client.completeMultipartUpload(key, uploadId, parts);
    } catch (error) {
      await this.#client.abortMultipartUpload(key, uploadId).catch(() => undefined);
      throw error;
    }
  }

  async open(sha256: string, _sizeBytes: number, range?: ByteRange): Promise<WrittenBody | undefined> {
    const key = this.#keyOf(sha256);
    // The end of its range doesn't count.
    const response =
      range === undefined
        ? await this.#client.getObjectResponse(key)
        : await this.#client.getObjectRaw(key, false, range.start, range.end + 1);
    if (response === null || response.status === NOT_FOUND) return undefined;
    if (!response.ok) throw new Error(`the object store answered ${response.status}`);
    return new ResponseBody(response);
  }

  async delete(sha256: string): Promise<void> {
    await this.#client.deleteObject(this.#keyOf(sha256));
  }

  async *list(): AsyncIterable<StoredBlob> {
    let token: string | undefined;
    do {
      const page = await this.#client.listObjectsPaged('/', this.#prefix, LIST_PAGE, token);
      for (const { Key, Size } of page?.objects ?? []) {
        const sha256 = Key.split('/').at(-1) ?? '';
        if (HASH.test(sha256)) yield { sha256, sizeBytes: Number(Size) };
      }
      token = page?.nextContinuationToken;
    } while (token !== undefined && token !== '');
  }

  #keyOf(sha256: string): string {
    return `${this.#prefix}${sha256.slice(0, 2)}/${sha256}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function readPart(handle: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, start + at);
    if (bytesRead === 0) throw new Error('the file is shorter than it was');
    at += bytesRead;
  }
  return bytes;
}

/** An object as it comes. */
class ResponseBody extends WrittenBody {
  readonly #response: Response;

  constructor(response: Response) {
    super();
    this.#response = response;
  }

  async writeTo(target: Writable): Promise<void> {
    const { body } = this.#response;
    if (body !== null) await pipeline(Readable.from(body), target, { end: false });
  }

  async discard(): Promise<void> {
    await this.#response.body?.cancel();
  }
}
