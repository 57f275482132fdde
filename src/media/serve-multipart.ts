/** Turns a file into a reply for another server. */
import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import { type Reply, reply, WrittenBody } from '../http/result.ts';
import { notFound } from '../protocol/errors.ts';
import type { Blobs } from './blobs/blobs.ts';
import { isInlineType } from './content-types.ts';
import { contentDisposition } from './file-name.ts';
import type { Servable } from './serve.ts';

const BOUNDARY_BYTES = 18;

/** Two parts: an empty JSON object, and the file. Throws `M_NOT_FOUND` where it is lost. Spec: server-server-api/#content-repository */
export async function serveMultipart(blobs: Blobs, file: Servable): Promise<Reply> {
  const content = await blobs.open(file.sha256, file.sizeBytes);
  if (content === undefined) throw notFound('The file is lost');
  const boundary = randomBytes(BOUNDARY_BYTES).toString('hex');
  const disposition = contentDisposition(isInlineType(file.contentType) ? 'inline' : 'attachment', file.fileName);
  const head = [
    `--${boundary}`,
    'Content-Type: application/json',
    '',
    '{}',
    `--${boundary}`,
    `Content-Type: ${file.contentType}`,
    `Content-Disposition: ${disposition}`,
    '',
    '',
  ].join('\r\n');
  const tail = `\r\n--${boundary}--\r\n`;
  return reply({
    headers: {
      'content-type': `multipart/mixed; boundary=${boundary}`,
      'content-length': String(Buffer.byteLength(head) + file.sizeBytes + tail.length),
      'cache-control': 'no-store',
    },
    body: new Framed(head, content, tail),
  });
}

/** A body with text before and after it. */
class Framed extends WrittenBody {
  readonly #head: string;
  readonly #content: WrittenBody;
  readonly #tail: string;

  constructor(head: string, content: WrittenBody, tail: string) {
    super();
    this.#head = head;
    this.#content = content;
    this.#tail = tail;
  }

  async writeTo(target: Writable): Promise<void> {
    target.write(this.#head);
    await this.#content.writeTo(target);
    target.write(this.#tail);
  }

  discard(): Promise<void> {
    return this.#content.discard();
  }
}
