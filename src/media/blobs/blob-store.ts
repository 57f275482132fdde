import type { WrittenBody } from '../../http/result.ts';
import type { StagedFile } from './staging.ts';

/** Part of a file: both ends count. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file in a store. */
export interface StoredBlob {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** What is still to come of a file that was put. */
export interface PutBlob {
  /** Resolves when its bytes and its name are durable; to be awaited, for it may fail. Undefined: they are already. */
  readonly syncing: Promise<unknown> | undefined;
}

/** Keeps files under their hash. Both implementations pass the same test. */
export interface BlobStore extends AsyncDisposable {
  /** As in the table of blobs. */
  readonly name: 'local' | 's3';
  /** The size of a file in bytes; undefined where it isn't here. */
  sizeOf(sha256: string): Promise<number | undefined>;
  /** Takes a file in under its name. The staged file may have been moved then. */
  put(staged: StagedFile): Promise<PutBlob>;
  /** The bytes; undefined where the file isn't here. The caller has them written, or discards them. */
  open(sha256: string, sizeBytes: number, range?: ByteRange): Promise<WrittenBody | undefined>;
  /** Where the file lies on this machine; undefined for stores elsewhere. */
  pathOf(sha256: string): string | undefined;
  /** Removes a file; one that isn't here is no error. */
  delete(sha256: string): Promise<void>;
  /** Everything that is here. */
  list(): AsyncIterable<StoredBlob>;
}
