/** Where the files of other servers come from: asks them over federation, and old ones over the paths of before 2024. */
import type { Readable } from 'node:stream';
import { type Federation, RefusedError, type StreamedAnswer } from '../../federation/index.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import { fileNameOf } from '../file-name.ts';
import { boundaryOf, openMultipart } from './multipart-file.ts';

/** A file of another server, as it begins to come. Types and names are as that server says. */
export interface RemoteFile {
  readonly contentType: string | undefined;
  readonly fileName: string | undefined;
  /** As announced, if it was. */
  readonly sizeBytes: number | undefined;
  /** To be read or destroyed. */
  readonly stream: Readable;
}

export interface RemoteFileWish {
  readonly origin: ServerName;
  readonly mediaId: string;
  /** How long the other server may wait for a file that was only announced there. */
  readonly waitMs: number;
  /** Ends it at any time. */
  readonly signal: AbortSignal;
}

/** Begins to fetch files. Throws as `FederationClient.download` does, and an `Error` for answers that make no sense. */
export interface RemoteSource {
  open(wish: RemoteFileWish): Promise<RemoteFile>;
}

/** For the beginning of an answer beside what it may wait, and for each pause in it. */
const PAUSE_MS_MAX = 20_000;
const REDIRECTS_MAX = 3;
/** Spec: server-server-api/#content-repository */
const OLD_PREFIXES = ['/_matrix/media/v3', '/_matrix/media/r0'];
const e = encodeURIComponent;

/** Asks the server that a file is of. */
export class FederationSource implements RemoteSource {
  readonly #client: Federation['calls']['client'];

  constructor({ calls }: Pick<Federation, 'calls'>) {
    this.#client = calls.client;
  }

  async open(wish: RemoteFileWish): Promise<RemoteFile> {
    const { origin, mediaId, waitMs } = wish;
    try {
      const path = `/_matrix/federation/v1/media/download/${e(mediaId)}?timeout_ms=${waitMs}`;
      return await this.#ofMultipart(await this.#download(wish, path, 'multipart/mixed', true), wish);
    } catch (error) {
      if (!isUnknownPath(error)) throw error;
    }
    for (const prefix of OLD_PREFIXES) {
      try {
        const path = `${prefix}/download/${e(origin)}/${e(mediaId)}?allow_remote=false&timeout_ms=${waitMs}`;
        return plainFile(await this.#download(wish, path, '*/*', false));
      } catch (error) {
        if (!isUnknownPath(error) || prefix === OLD_PREFIXES.at(-1)) throw error;
      }
    }
    throw new Error('there is always a last path');
  }

  #download({ origin, waitMs, signal }: RemoteFileWish, path: string, accept: string, isSigned: boolean) {
    const timeoutMs = waitMs + PAUSE_MS_MAX;
    return this.#client.download({ destination: origin, path, accept, isSigned, timeoutMs }, signal);
  }

  async #ofMultipart(answer: StreamedAnswer, wish: RemoteFileWish): Promise<RemoteFile> {
    const boundary = boundaryOf(headerOf(answer, 'content-type'));
    if (boundary === undefined) {
      answer.body.destroy();
      throw new Error('the answer is not multipart/mixed');
    }
    const { headers, stream } = await openMultipart(answer.body, boundary);
    const location = headers.get('location');
    if (location === undefined) {
      const fileName = fileNameOf(headers.get('content-disposition'));
      return { contentType: headers.get('content-type'), fileName, sizeBytes: undefined, stream };
    }
    answer.body.destroy();
    return this.#follow(location, wish.signal);
  }

  /** Where a server keeps its files elsewhere. The addresses are checked where they are connected to, each time. */
  async #follow(location: string, signal: AbortSignal): Promise<RemoteFile> {
    let url = parseUrl(location);
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const answer = await this.#client.downloadFrom(url, { timeoutMs: PAUSE_MS_MAX, signal });
      if (answer.status === 200) return plainFile(answer);
      answer.body.destroy();
      const next = headerOf(answer, 'location');
      if (answer.status < 300 || answer.status > 399 || next === undefined) {
        throw new Error(`where the server points to, the answer is ${answer.status}`);
      }
      url = parseUrl(next, url);
    }
    throw new Error('too many redirects');
  }
}

/** Whether the server doesn't know the path: an old one, or an old proxy before it. */
function isUnknownPath(error: unknown): boolean {
  if (!(error instanceof RefusedError)) return false;
  const { status, errcode } = error;
  return errcode === 'M_UNRECOGNIZED' || ((status === 404 || status === 405) && errcode === undefined);
}

function plainFile(answer: StreamedAnswer): RemoteFile {
  const length = headerOf(answer, 'content-length');
  return {
    contentType: headerOf(answer, 'content-type'),
    fileName: fileNameOf(headerOf(answer, 'content-disposition')),
    sizeBytes: length === undefined ? undefined : Number(length),
    stream: answer.body,
  };
}

function headerOf({ headers }: StreamedAnswer, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null || url.username !== '' || url.password !== '') throw new Error('the server points nowhere');
  return url;
}
