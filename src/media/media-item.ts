/** A file as the rest of the house sees it. */
import { OCTET_STREAM } from './content-types.ts';
import type { MediaRow } from './store/media-rows.ts';

/** A file that was uploaded and may be served. */
export interface MediaItem {
  readonly nid: number;
  readonly origin: string;
  readonly mediaId: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  readonly fileName: string | undefined;
  /** May be served without login. */
  readonly isOpen: boolean;
}

/** The item of a row that has its file. */
export function toItem(row: MediaRow, sha256: string): MediaItem {
  return {
    nid: row.media_nid,
    origin: row.origin,
    mediaId: row.media_id,
    sha256,
    sizeBytes: row.size_bytes,
    contentType: row.content_type ?? OCTET_STREAM,
    fileName: row.file_name ?? undefined,
    isOpen: row.is_open === 1,
  };
}
