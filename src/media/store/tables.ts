/** The tables of media: what was uploaded, and the files behind it. */
import type { Generated } from 'kysely';

/** One row for each `mxc:` URI that we serve: ours, and those of other servers that we have a copy of. */
export interface MediaTable {
  media_nid: Generated<number>;
  /** The server of the `mxc:` URI. */
  origin: string;
  media_id: string;
  /** Null for what the server itself put here, and for media of other servers. */
  uploader: string | null;
  /** Null: unknown, sent as application/octet-stream. */
  content_type: string | null;
  /** Cleaned. */
  file_name: string | null;
  /** The file, by its hash (hex); null while it was only announced. */
  sha256: string | null;
  size_bytes: number;
  created_ts: number;
  /** Until then the file of an announced upload must have come; null once it has. */
  unused_expires_ts: number | null;
  /** To about an hour. */
  last_access_ts: number;
  /** May be downloaded without logging in, since it came while that was allowed. */
  is_open: number;
  /** Hidden by an administrator: not served to anyone. */
  is_quarantined: number;
  /** Who has hidden it: an administrator's user id, or the name of a check. */
  quarantined_by: string | null;
  /** Never quarantined and never tidied away. */
  is_protected: number;
}

/** The files themselves. Equal files are one. */
export interface MediaBlobsTable {
  sha256: string;
  size_bytes: number;
  /** Which store holds it: `local` or `s3`. */
  store: string;
  created_ts: number;
}

/** Files whose row was written while the disk was still at their bytes. Those that are durable go from here soon. */
export interface MediaUnsettledTable {
  sha256: string;
}

/** How much each user keeps here. */
export interface MediaUsageTable {
  user_id: string;
  size_bytes: number;
  file_count: number;
}

/** What is known of a file as a picture; also that it is none, so that nobody looks again. */
export interface MediaPicturesTable {
  sha256: string;
  /** `jpeg`, `png`, `gif`, `webp`, `heif`; `cover`: a film or music with a picture; `none`: one without; null: not a picture that we can read. */
  format: string | null;
  /** In pixels, as shown (turned as its orientation says). */
  width: number;
  height: number;
  frame_count: number;
}

/** Thumbnails, by the file that they are of. */
export interface MediaThumbnailsTable {
  source_sha256: string;
  /** In pixels. */
  width: number;
  height: number;
  method: 'crop' | 'scale';
  is_animated: number;
  /** The thumbnail's own file. */
  sha256: string;
  size_bytes: number;
  content_type: string;
}

/** Link previews that were made. */
export interface MediaUrlPreviewsTable {
  url: string;
  /** What clients get. */
  json: string;
  /** The picture, in `media` with our own name as origin. */
  image_media_id: string | null;
  /** The page didn't answer; it is not asked again at once. */
  is_failure: number;
  fetched_ts: number;
  expires_ts: number;
}

/** Which events refer to which of our own files. */
export interface MediaReferencesTable {
  media_id: string;
  event_id: string;
}

/** Our own files that their uploaders have sent in an event that we can read. Only these go when events are redacted. */
export interface MediaSentTable {
  media_id: string;
}

/** Signed records of what was deleted. */
export interface MediaDeletionsTable {
  deletion_nid: Generated<number>;
  media_id: string;
  json: string;
  deleted_ts: number;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    media: MediaTable;
    media_blobs: MediaBlobsTable;
    media_unsettled: MediaUnsettledTable;
    media_usage: MediaUsageTable;
    media_pictures: MediaPicturesTable;
    media_thumbnails: MediaThumbnailsTable;
    media_url_previews: MediaUrlPreviewsTable;
    media_references: MediaReferencesTable;
    media_sent: MediaSentTable;
    media_deletions: MediaDeletionsTable;
  }
}
