/** Reads the answer that carries a file between servers: JSON about it, then the file, or where it is. */
import { Readable } from 'node:stream';

/** The second part of such an answer, as it begins to come. */
export interface MultipartFile {
  /** Names in lower case; of each the last value. */
  readonly headers: ReadonlyMap<string, string>;
  /** The bytes. Fails where the answer ends too early, or with anything but its last boundary. */
  readonly stream: Readable;
}

/** RFC 2046, section 5.1.1. */
const BOUNDARY_CHARACTERS_MAX = 70;
const PREAMBLE_BYTES_MAX = 16 * 1024;
const HEADERS_BYTES_MAX = 16 * 1024;
/** The specification has an empty object there. */
const JSON_BYTES_MAX = 64 * 1024;
const PADDING_BYTES_MAX = 256;
const LINE_END = Buffer.from('\r\n');
const HEADERS_END = Buffer.from('\r\n\r\n');

/** The boundary of `multipart/mixed; boundary=…`; undefined for other types. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (!/^multipart\/mixed\s*;/i.test(contentType ?? '')) return undefined;
  const [, quoted, bare] = /;\s*boundary=(?:"([^"\\\r\n]+)"|([^\s";]+))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? bare;
  return boundary !== undefined && boundary.length <= BOUNDARY_CHARACTERS_MAX ? boundary : undefined;
}

/**
 * Finds the file in an answer of `/_matrix/federation/v1/media/…`: rejects, and destroys `body`, where it doesn't begin with
 * a part of JSON and another. Holds no more in memory than what is just passing. Spec: server-server-api/#content-repository
 */
export async function openMultipart(body: Readable, boundary: string): Promise<MultipartFile> {
  const scanner = new Scanner(body, Buffer.from(`\r\n--${boundary}`));
  try {
    await scanner.skipBeyondBoundary(PREAMBLE_BYTES_MAX);
    await scanner.headers();
    await scanner.skipBeyondBoundary(JSON_BYTES_MAX);
    const headers = await scanner.headers();
    return { headers, stream: Readable.from(scanner.content(), { objectMode: false }) };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

/** Looks for boundaries in what comes, without knowing how it is cut into chunks. */
class Scanner {
  readonly #body: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #delimiter: Buffer;
  /** What has come and was not consumed. The first boundary may be the very beginning, without a line break before it. */
  #rest: Buffer = LINE_END;

  constructor(body: Readable, delimiter: Buffer) {
    this.#body = body;
    this.#chunks = body[Symbol.asyncIterator]();
    this.#delimiter = delimiter;
  }

  /** Goes on behind the next boundary, which must come within `bytesMax`. */
  async skipBeyondBoundary(bytesMax: number): Promise<void> {
    await this.#takeUntil(this.#delimiter, bytesMax + this.#delimiter.length);
  }

  /** The headers of a part; what stands behind its boundary comes first. */
  async headers(): Promise<ReadonlyMap<string, string>> {
    const padding = await this.#peekUntil(LINE_END, PADDING_BYTES_MAX);
    if (!/^[ \t]*$/.test(padding)) throw new Error('the answer has fewer parts than it must have');
    const lines = (await this.#takeUntil(HEADERS_END, HEADERS_BYTES_MAX)).split('\r\n');
    const headers = new Map<string, string>();
    for (const line of lines.slice(1)) {
      const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error('the answer has a broken header');
      headers.set(name.toLowerCase(), value);
    }
    return headers;
  }

  /** The bytes up to the next boundary, which must be the last one. */
  async *content(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const at = this.#rest.indexOf(this.#delimiter);
        if (at !== -1) {
          if (at > 0) yield this.#rest.subarray(0, at);
          this.#rest = this.#rest.subarray(at + this.#delimiter.length);
          break;
        }
        const safe = this.#rest.length - this.#delimiter.length + 1;
        if (safe > 0) {
          yield this.#rest.subarray(0, safe);
          this.#rest = this.#rest.subarray(safe);
        }
        await this.#more();
      }
      while (this.#rest.length < 2) await this.#more();
      if (this.#rest.toString('latin1', 0, 2) !== '--') throw new Error('the answer has more parts than it may have');
      // Usually nothing follows, and the connection can be used again.
      const last = await this.#chunks.next();
      if (last.done !== true) this.#body.destroy();
    } finally {
      // Also where nobody reads on.
      if (!this.#body.readableEnded) this.#body.destroy();
    }
  }

  /** The text before `mark`, which stays. */
  async #peekUntil(mark: Buffer, bytesMax: number): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(mark);
      if (at !== -1 && at <= bytesMax) return this.#rest.toString('latin1', 0, at);
      if (this.#rest.length > bytesMax) throw new Error('the answer is not built as it must be');
      await this.#more();
    }
  }

  /** The text before `mark`; goes on behind it. */
  async #takeUntil(mark: Buffer, bytesMax: number): Promise<string> {
    const text = await this.#peekUntil(mark, bytesMax);
    this.#rest = this.#rest.subarray(text.length + mark.length);
    return text;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error('the answer was cut off');
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }
}
